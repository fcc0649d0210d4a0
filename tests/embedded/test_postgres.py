"""The embedded server: starts on first need, survives, recovers, stays apart from its neighbours."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from embedded.postgres import EmbeddedPostgres, EmbeddedPostgresError, binary, server_settings

FAST = {"fsync": "off", "shared_buffers": "'16MB'"}


def query(environment: dict[str, str], statement: str) -> object:
    with psycopg.connect(
        host=environment["PGHOST"],
        port=environment["PGPORT"],
        user=environment["PGUSER"],
        dbname=environment["PGDATABASE"],
        autocommit=True,
    ) as connection:
        cursor = connection.execute(statement)  # type: ignore[call-overload]
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


@pytest.fixture
def directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="tokenscope-embedded-"))
    yield path
    EmbeddedPostgres(path).stop()
    shutil.rmtree(path)


def postmaster_pid(directory: Path) -> int:
    return int((directory / "postgres" / "postmaster.pid").read_text().split()[0])


def test_server_starts_on_first_need_and_keeps_its_data_between_starts(directory: Path) -> None:
    server = EmbeddedPostgres(directory, settings=FAST)
    environment = server.ensure_running()
    assert str(query(environment, "show server_version")).startswith("18")
    query(environment, "create table kept as select 7 as value")
    assert server.stop() is True
    assert server.is_running() is False
    assert query(server.ensure_running(), "select value from kept") == 7


def test_server_recovers_when_it_was_killed(directory: Path) -> None:
    server = EmbeddedPostgres(directory, settings=FAST)
    query(server.ensure_running(), "create table kept as select 7 as value")
    os.kill(postmaster_pid(directory), signal.SIGKILL)
    psutil.wait_procs(
        [psutil.Process(postmaster_pid(directory))] if psutil.pid_exists(postmaster_pid(directory)) else []
    )
    assert query(server.ensure_running(), "select value from kept") == 7


def test_server_starts_when_its_pid_now_belongs_to_somebody_else(directory: Path) -> None:
    server = EmbeddedPostgres(directory, settings=FAST)
    server.ensure_running()
    pid_file = directory / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    server.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert query(server.ensure_running(), "select 1") == 1


def test_two_servers_side_by_side_do_not_collide(directory: Path) -> None:
    first = EmbeddedPostgres(directory / "one", settings=FAST)
    second = EmbeddedPostgres(directory / "two", settings=FAST)
    query(first.ensure_running(), "create table mine as select 1 as value")
    assert query(second.ensure_running(), "select to_regclass('mine')") is None
    second.stop()
    assert first.is_running()
    first.stop()


def test_commands_started_together_start_one_server(directory: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        runs = [
            pool.submit(
                subprocess.run,
                [sys.executable, "-m", "embedded", "env"],
                env={**os.environ, "TOKENSCOPE_DATA_DIR": str(directory)},
                capture_output=True,
                text=True,
            )
            for _ in range(4)
        ]
    assert {run.result().returncode for run in runs} == {0}
    assert len({run.result().stdout for run in runs}) == 1


def test_long_path_gets_a_short_socket_folder(directory: Path) -> None:
    deep = directory / ("deep" * 25)
    server = EmbeddedPostgres(deep, settings=FAST)
    environment = server.ensure_running()
    assert not environment["PGHOST"].startswith(str(deep))
    assert query(environment, "select 1") == 1
    server.stop()


def test_foreign_folder_in_place_of_the_socket_folder_is_refused(directory: Path) -> None:
    (directory / "elsewhere").mkdir()
    (directory / "run").symlink_to(directory / "elsewhere")
    with pytest.raises(EmbeddedPostgresError, match="cannot use socket folder"):
        EmbeddedPostgres(directory, settings=FAST).ensure_running()


def test_killed_initdb_leaves_nothing_that_looks_whole(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = EmbeddedPostgres(directory, settings=FAST)
    run = server._run

    def fail_after_initdb(program: str, *arguments: object, client: bool = False) -> str:
        output = run(program, *arguments, client=client)
        if program == "initdb":
            raise KeyboardInterrupt
        return output

    monkeypatch.setattr(server, "_run", fail_after_initdb)
    with pytest.raises(KeyboardInterrupt):
        server.ensure_running()
    assert not server.cluster.exists()
    monkeypatch.undo()
    assert query(server.ensure_running(), "select 1") == 1


def test_cluster_of_another_version_is_named(directory: Path) -> None:
    (directory / "postgres").mkdir()
    (directory / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedPostgresError, match=r"expected a cluster of version 18, found 16 in .*postgres"):
        EmbeddedPostgres(directory).ensure_running()


def run_as(account: pwd.struct_passwd, action: Callable[[], None]) -> int:
    """Run `action` in a child that gave up root for `account`; return its exit status."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
            action()
            os._exit(0)
        except BaseException as error:
            os.write(2, repr(error).encode())
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_ordinary_user_runs_the_server_as_himself() -> None:
    account = pwd.getpwnam("nobody")
    directory = Path(tempfile.mkdtemp(prefix="tokenscope-user-"))
    os.chown(directory, account.pw_uid, account.pw_gid)
    server = EmbeddedPostgres(directory, settings=FAST)
    server._open_path_for_server(binary("postgres").parent.parent)
    try:
        assert run_as(account, lambda: [server.ensure_running()].clear()) == 0
        assert psutil.Process(postmaster_pid(directory)).uids().real == account.pw_uid
        assert run_as(account, lambda: [server.stop()].clear()) == 0
        assert not server.is_running()
    finally:
        server.stop()
        shutil.rmtree(directory)


def test_settings_follow_the_machine_within_bounds() -> None:
    assert server_settings(2**30)["shared_buffers"] == "'128MB'"
    assert server_settings(2**36)["shared_buffers"] == "'512MB'"
    assert server_settings(2**28)["shared_buffers"] == "'64MB'"
