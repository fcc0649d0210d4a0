"""Runs leave a start and an end, whatever becomes of them; commands run whether or not that can be recorded."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from tests.patience import HANG_S, wait_until
from warehouse.connection import WarehouseUnavailable
from warehouse.events import pipeline_run

Environment = dict[str, str]
ENDS = "select pipeline_id, status from ops.pipeline_events where event_name = 'pipeline_run_end' order by event_id"


@pytest.fixture
def warehouse(database: Environment, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection]:
    """Return a connection to a fresh warehouse that this process's environment names."""
    for name, value in database.items():
        monkeypatch.setenv(name, value)
    with psycopg.connect("", autocommit=True) as connection:
        yield connection


def connect() -> psycopg.Connection:
    return psycopg.connect("")


def unavailable() -> psycopg.Connection:
    raise WarehouseUnavailable("no server")


def start(repo_root: Path, *words: object) -> subprocess.Popen[str]:
    """Start `python -m warehouse run WORDS...`."""
    command = [sys.executable, "-m", "warehouse", "run", *map(str, words)]
    return subprocess.Popen(command, cwd=repo_root, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def wait_for_start(connection: psycopg.Connection, pipeline_id: str) -> None:
    begun = "select from ops.pipeline_events where pipeline_id = %s"
    wait_until(lambda: bool(connection.execute(begun, [pipeline_id]).fetchall()), "the run begins", poll_s=0.01)


def test_a_run_leaves_a_start_and_an_end(warehouse: psycopg.Connection) -> None:
    with pipeline_run(connect, "load") as run:
        started = warehouse.execute(
            "select event_name, pipeline_id, run_id, status from ops.pipeline_events"
        ).fetchall()
        assert started == [("pipeline_run_start", "load", run.run_id, None)]
    rows = warehouse.execute(
        "select event_name, run_id, status, duration_sec >= 0 from ops.pipeline_events order by event_id"
    ).fetchall()
    assert rows == [("pipeline_run_start", run.run_id, None, None), ("pipeline_run_end", run.run_id, "done", True)]


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError(), "failed"), (KeyboardInterrupt(), "interrupted"), (SystemExit(1), "failed")]
)
def test_a_failing_run_leaves_its_end_although_it_rolls_back(
    warehouse: psycopg.Connection, error: BaseException, status: str
) -> None:
    with (
        pytest.raises(type(error)),
        pipeline_run(connect, "load"),
        psycopg.connect("") as main,
        main.transaction(),
    ):
        main.execute("create table public_marts.half (id int)")
        raise error
    assert warehouse.execute(ENDS).fetchall() == [("load", status)]
    assert warehouse.execute("select to_regclass('public_marts.half')").fetchone() == (None,)


def test_a_killed_run_is_closed_by_the_next_of_its_pipeline(warehouse: psycopg.Connection, repo_root: Path) -> None:
    process = start(repo_root, "load", "--", "sleep", "60")
    wait_for_start(warehouse, "load")
    with pipeline_run(connect, "other"):
        pass
    with pipeline_run(connect, "load"):
        pass
    assert warehouse.execute(ENDS).fetchall() == [("other", "done"), ("load", "done")]  # the first is still at work
    process.kill()
    process.communicate()

    def is_told() -> bool:
        with pipeline_run(connect, "load"):
            return ("load", "killed") in warehouse.execute(ENDS).fetchall()

    wait_until(is_told, "the killed run has an end", poll_s=0)  # its server process may need a moment
    assert warehouse.execute(
        "select count(*) from ops.pipeline_events where event_name = 'pipeline_run_end' and status = 'killed'"
    ).fetchone() == (1,)


def test_a_run_that_creates_the_tables_is_recorded_at_its_end(
    empty_database: Environment, run_command: Callable[..., Any], dataset_20k: Path
) -> None:
    run_command("-m", "loader", "load", dataset_20k, env=empty_database)
    with psycopg.connect(**_parameters(empty_database)) as connection:
        rows = connection.execute("select event_name, status from ops.pipeline_events order by occurred_at").fetchall()
    assert rows == [("pipeline_run_start", None), ("pipeline_run_end", "done")]


def test_an_end_survives_the_loss_of_the_first_connection(warehouse: psycopg.Connection) -> None:
    with pipeline_run(connect, "load"):
        warehouse.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
    assert warehouse.execute("select event_name, status from ops.pipeline_events order by event_id").fetchall() == [
        ("pipeline_run_start", None),
        ("pipeline_run_end", "done"),
    ]


def test_without_a_server_the_run_goes_on_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pipeline_run(unavailable, "generate"):
        pass
    said = capsys.readouterr().err
    assert said == "events: expected to record 'generate', found: no server; what ran is not affected\n"
    with pytest.raises(ValueError), pipeline_run(unavailable, "generate"):
        raise ValueError
    assert capsys.readouterr().err == ""


def test_the_reader_may_see_events_and_not_write_them(warehouse: psycopg.Connection) -> None:
    with pipeline_run(connect, "load"):
        pass
    warehouse.execute("set role portfolio_reader")
    for table in ("pipeline_events", "dbt_runs", "dbt_results"):
        warehouse.execute(f"select count(*) from ops.{table}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            warehouse.execute(f"delete from ops.{table}".encode())


def test_run_passes_output_and_status_on(warehouse: psycopg.Connection, run_command: Callable[..., Any]) -> None:
    result = run_command("-m", "warehouse", "run", "generate", "--", "sh", "-c", "echo out; exit 3", check=False)
    assert (result.returncode, result.stdout, result.stderr) == (3, "out\n", "")
    run_command("-m", "warehouse", "run", "generate", "--", "sh", "-c", 'test -n "$PGDATABASE"')
    assert warehouse.execute(ENDS).fetchall() == [("generate", "failed"), ("generate", "done")]


def test_run_creates_the_tables_it_writes_to(empty_database: Environment, run_command: Callable[..., Any]) -> None:
    run_command("-m", "warehouse", "run", "generate", "--", "true", env=empty_database)
    with psycopg.connect(**_parameters(empty_database)) as connection:
        assert connection.execute(ENDS).fetchall() == [("generate", "done")]


def test_run_runs_the_command_without_a_server(run_command: Callable[..., Any]) -> None:
    nowhere = {"PGHOST": "127.0.0.1", "PGPORT": "1"}
    result = run_command("-m", "warehouse", "run", "generate", "--", "echo", "done", env=nowhere)
    assert result.stdout == "done\n"
    assert result.stderr.startswith("events: expected to record 'generate', found: connection to the warehouse failed")
    assert result.stderr.count("\n") == 1


def test_run_names_a_program_that_does_not_exist(
    warehouse: psycopg.Connection, run_command: Callable[..., Any]
) -> None:
    result = run_command("-m", "warehouse", "run", "generate", "--", "no-such-program", check=False)
    assert result.returncode == 127
    assert "found No such file or directory for no-such-program" in result.stderr
    assert warehouse.execute(ENDS).fetchall() == [("generate", "failed")]


@pytest.mark.parametrize("words", [["run"], ["run", "load"], ["run", "load", "--"], ["run", "--", "true"]])
def test_run_without_pipeline_or_command_is_misuse(run_command: Callable[..., Any], words: list[str]) -> None:
    assert run_command("-m", "warehouse", *words, check=False).returncode == 2


@pytest.mark.parametrize(
    ("number", "returned", "status"),
    [(signal.SIGTERM, 128 + signal.SIGTERM, "failed"), (signal.SIGINT, 128 + signal.SIGINT, "interrupted")],
)
def test_run_ends_with_its_command_when_told_to(
    warehouse: psycopg.Connection, repo_root: Path, number: signal.Signals, returned: int, status: str
) -> None:
    process = start(repo_root, "load", "--", sys.executable, "-c", "import time; print(flush=True); time.sleep(60)")
    assert process.stdout is not None
    process.stdout.readline()
    (command,) = psutil.Process(process.pid).children()
    process.send_signal(number)
    if number == signal.SIGINT:  # a terminal sends it to both at once, so that none gets it after the other has ended
        command.send_signal(number)
    process.communicate(timeout=HANG_S)
    assert process.returncode == returned
    assert warehouse.execute(ENDS).fetchall() == [("load", status)]


def _parameters(database: Environment) -> dict[str, Any]:
    return {
        "host": database["PGHOST"],
        "port": database["PGPORT"],
        "user": database["PGUSER"],
        "dbname": database["PGDATABASE"],
    }


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_the_command_of_a_killed_run_ends_too(warehouse: psycopg.Connection, repo_root: Path) -> None:
    process = start(repo_root, "load", "--", "sleep", "60")
    wait_for_start(warehouse, "load")
    wait_until(lambda: bool(psutil.Process(process.pid).children()), "the command runs", poll_s=0.01)
    (child,) = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    wait_until(
        lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the command ends", poll_s=0.01
    )
    process.communicate()
