"""Loads that die: readers go on seeing the old tables, whole, and the next load succeeds and clears up."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from embedded.postgres import EmbeddedPostgres
from tests.loader.conftest import wait_while_running
from tests.patience import HANG_S, wait_until

Environment = dict[str, str]
WriteSet = Callable[..., Path]


@pytest.fixture(scope="session")
def big_set(private_data_directory: Path, run_command: Callable[..., object]) -> Path:
    """Return a data set whose COPY takes long enough to be caught under way."""
    directory = private_data_directory / "dataset_300k"
    run_command("generator/generate_data.py", "--rows", 300_000, "--seed", 7, "--users", 500, "--out", directory)
    return directory


def start_load(directory: Path, environment: Environment, repo_root: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "loader", "load", str(directory)]
    return subprocess.Popen(
        command, cwd=repo_root, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True
    )


COPYING = "exists (select from pg_stat_progress_copy where tuples_processed > 1000 and datname = current_database())"
BUILT = "exists (select from pg_class as c where c.relname ~ '^api_requests_synthetic_\\d+$' and not c.relispartition)"


def end(process: subprocess.Popen[str]) -> str:
    """Wait for the process and return what it said."""
    _, said = process.communicate(timeout=HANG_S)
    return said


@pytest.mark.parametrize("moment", ["COPY", "swap"])
def test_a_killed_load_changes_nothing_and_the_next_clears_up(
    loader: Any, write_set: WriteSet, big_set: Path, database: Environment, repo_root: Path, moment: str
) -> None:
    loader.succeeds("load", write_set())
    with psycopg.connect(**_parameters(database)) as reader:
        if moment == "swap":  # a reader in a transaction holds the swap back
            reader.execute("select count(*) from raw_staging.api_requests")
        process = start_load(big_set, database, repo_root)
        wait_while_running(loader.connection, COPYING if moment == "COPY" else BUILT, process)
        process.kill()
        end(process)
    assert process.returncode == -signal.SIGKILL
    assert loader.request_count() == 10
    assert loader.value("select count(*) from raw_staging.users") == 2
    assert loader.value("select status from raw_staging.load_batches where batch_id = 2") == "running"
    assert "300,000 api_requests" in loader.succeeds("load", big_set)
    assert loader.request_count() == 300_000
    assert loader.partitions() == ["api_requests_synthetic_3"]
    assert loader.rows("select status, error from raw_staging.load_batches order by batch_id") == [
        ("done", None),
        ("failed", "the loader ended before the load did"),
        ("done", None),
    ]


def test_an_interrupted_load_says_so_and_changes_nothing(
    loader: Any, write_set: WriteSet, big_set: Path, database: Environment, repo_root: Path
) -> None:
    loader.succeeds("load", write_set())
    process = start_load(big_set, database, repo_root)
    wait_while_running(loader.connection, COPYING, process)
    process.send_signal(signal.SIGINT)
    assert end(process) == "load: interrupted; the tables are as they were\n"
    assert process.returncode == 130
    assert loader.request_count() == 10
    assert loader.rows("select status, error from raw_staging.load_batches where batch_id = 2") == [
        ("failed", "KeyboardInterrupt")
    ]


def test_a_swap_that_readers_hold_back_gives_up_and_names_them(
    loader: Any, write_set: WriteSet, database: Environment
) -> None:
    loader.succeeds("load", write_set())
    with psycopg.connect(**_parameters(database)) as reader:
        reader.execute("select count(*) from raw_staging.api_requests")
        said = loader.fails("load", "--force", "--swap-wait-s", 0.3, write_set())
        assert f"server process {reader.info.backend_pid}" in said
    assert loader.partitions() == ["api_requests_synthetic_1"]
    assert loader.value("select status from raw_staging.load_batches where batch_id = 2") == "failed"


def test_readers_never_wait_long_and_never_see_a_mix(
    loader: Any, write_set: WriteSet, request_line: Callable[..., str], database: Environment
) -> None:
    """Swap two sets back and forth; a reader that stays in a transaction makes a naive swap block all others."""
    one_user = "\n".join(
        [
            "user_id,full_name,email,company_name,industry,company_size,country_code,billing_tier,signed_up_on",
            "1,Ada,ada@example.com,,,,,free,2024-01-01\n",
        ]
    )
    sets = [
        write_set([request_line(i) for i in range(2000)], name="large"),
        write_set([request_line(i, user_id=1) for i in range(1000)], name="small", users=one_user),
    ]
    loader.succeeds("load", sets[0])
    stop, seen, failures = threading.Event(), set(), []

    def read(pause_s: float) -> None:
        query = (
            "select (select count(*) from raw_staging.api_requests where source = 'synthetic'),"
            " (select count(distinct user_id) from raw_staging.api_requests), (select count(*) from raw_staging.users)"
        )
        try:
            with psycopg.connect(**_parameters(database), options="-c statement_timeout=2s") as connection:
                while not stop.is_set():
                    with connection.transaction():
                        seen.add(connection.execute(query).fetchone())
                        time.sleep(pause_s)
        except psycopg.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=read, args=(pause_s,)) for pause_s in (0, 0.001, 0.3)]
    for thread in threads:
        thread.start()
    try:
        for i in range(6):
            loader.succeeds("load", "--force", sets[(i + 1) % 2])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert seen == {(2000, 2, 2), (1000, 1, 1)}


@pytest.fixture(scope="module")
def own_server() -> Iterator[EmbeddedPostgres]:
    """Return a server of this module's own, whose roles need their passwords and whose superuser needs none."""
    directory = Path(tempfile.mkdtemp(prefix="tokenscope-test-"))
    directory.chmod(0o755)
    rules = directory / "pg_hba.conf"
    rules.write_text("local all postgres trust\nlocal all all scram-sha-256\n")
    rules.chmod(0o644)
    server = EmbeddedPostgres(
        directory,
        settings={"fsync": "off", "shared_buffers": "'64MB'", "hba_file": f"'{rules}'", "log_statement": "all"},
    )
    server.ensure_running()
    yield server
    server.stop()
    shutil.rmtree(directory, ignore_errors=True)


def test_a_server_stopped_under_a_load_comes_back_with_the_old_tables(
    own_server: EmbeddedPostgres, write_set: WriteSet, big_set: Path, repo_root: Path, run_command: Any
) -> None:
    environment = own_server.environment()
    run_command("-m", "loader", "load", write_set(), env=environment)
    with psycopg.connect(**_parameters(environment), autocommit=True) as connection:
        process = start_load(big_set, environment, repo_root)
        wait_while_running(connection, COPYING, process)
    postmaster = int((own_server.cluster / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGQUIT)  # immediate shutdown, as a crash
    said = end(process)
    assert process.returncode == 1
    assert said.count("\n") == 1
    assert "expected the server to go on answering" in said
    _restart(own_server)
    with psycopg.connect(**_parameters(environment), autocommit=True) as connection:
        counts = "select (select count(*) from raw_staging.api_requests), (select count(*) from raw_staging.users)"
        assert connection.execute(counts).fetchone() == (10, 2)
        run_command("-m", "loader", "load", big_set, env=environment)
        assert connection.execute(counts).fetchone() == (300_000, 500)


def test_a_full_disk_fails_the_load_with_one_line(
    own_server: EmbeddedPostgres, write_set: WriteSet, big_set: Path, run_command: Any
) -> None:
    environment = own_server.environment()
    run_command("-m", "loader", "load", "--force", write_set(), env=environment)
    with _tiny_disk(own_server) as folder, psycopg.connect(**_parameters(environment), autocommit=True) as connection:
        connection.execute(f"create tablespace tiny owner portfolio_owner location '{folder}'")
        full = {**environment, "PGOPTIONS": "-c default_tablespace=tiny"}
        result = run_command("-m", "loader", "load", big_set, env=full, check=False)
        assert result.returncode == 1
        assert result.stderr.count("\n") == 1
        assert "expected free disk space for the server's files, found none" in result.stderr
        assert connection.execute("select count(*) from raw_staging.api_requests").fetchone() == (10,)
        assert connection.execute("select status from raw_staging.load_batches order by batch_id desc").fetchone() == (
            "failed",
        )
        connection.execute("drop tablespace tiny")


class _tiny_disk:
    """A mounted file system of two megabytes that the server may write to; skips where this user may not mount."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._mount = server.directory / "tiny"
        self._owner = server.cluster.stat()

    def __enter__(self) -> Path:
        self._mount.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0755", "tmpfs", str(self._mount)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"needs a small file system, and this user may not mount one: {error}")
        folder = self._mount / "tablespace"
        folder.mkdir()
        os.chown(folder, self._owner.st_uid, self._owner.st_gid)
        return folder

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", str(self._mount)], check=True)


def test_loading_as_the_owner_needs_the_right_password(
    own_server: EmbeddedPostgres, write_set: WriteSet, run_command: Any, tmp_path: Path
) -> None:
    secret = tmp_path / "owner"
    secret.write_text("correct horse\n")
    administrator = own_server.environment()
    run_command("-m", "loader", "init", env={**administrator, "PORTFOLIO_OWNER_PASSWORD_FILE": str(secret)})
    owner = {**administrator, "PGUSER": "portfolio_owner", "PGPASSWORD": "correct horse"}
    run_command("-m", "loader", "load", "--force", write_set(), env=owner)
    run_command("-m", "loader", "init", env=owner)
    result = run_command(
        "-m", "loader", "load", write_set(), env={**owner, "PGPASSWORD": "battery staple"}, check=False
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "password authentication failed" in result.stderr
    for text in (result.stderr, own_server.log.read_text()):
        assert "correct horse" not in text
        assert "battery staple" not in text


def _restart(server: EmbeddedPostgres) -> None:
    wait_until(lambda: not server.is_running(), "the server is down", poll_s=0.05)
    server.ensure_running()


def _parameters(environment: Environment) -> dict[str, str]:
    return {
        "host": environment["PGHOST"],
        "port": environment["PGPORT"],
        "user": environment["PGUSER"],
        "dbname": environment["PGDATABASE"],
    }
