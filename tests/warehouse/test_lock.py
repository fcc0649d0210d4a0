"""The pipeline's lock with real processes: one at a time, the others wait and say for whom, the dead hold nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO

import psycopg
import pytest

from tests.patience import HANG_S
from warehouse.lock import HOLDER_VARIABLE, WAIT_VARIABLE, WarehouseBusy, alone, holder_name, holder_text

Environment = dict[str, str]
Start = Callable[..., subprocess.Popen[str]]
HOLD = "import sys; print('held', flush=True); sys.stdin.read()"


@pytest.fixture
def start(database: Environment, start_command: Start) -> Start:
    """Return a function that starts `warehouse alone NAME -- python -c CODE`."""

    def run(name: str, code: str = HOLD, **environment: str) -> subprocess.Popen[str]:
        words = ["-m", "warehouse", "alone", name, "--", sys.executable, "-c", code]
        return start_command(*words, env={**database, **environment})

    return run


@contextmanager
def connected(database: Environment, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection]:
    for name, value in database.items():
        monkeypatch.setenv(name, value)
    with psycopg.connect("", autocommit=True) as connection:
        yield connection


def line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline()


def test_the_second_waits_says_for_whom_and_then_runs(start: Start) -> None:
    first = start("dbt-build")
    assert line(first.stdout) == "held\n"
    second = start("tick", "print('mine')")
    said = line(second.stderr)
    expected = rf"tick: waiting for dbt-build \(process {first.pid} on \S+, since [0-9-]+ [0-9:]+ UTC\) to end; Ctrl-C"
    assert re.match(expected, said), said
    assert second.poll() is None
    first.communicate(timeout=HANG_S)
    assert second.communicate(timeout=HANG_S) == ("mine\n", "")
    assert (first.returncode, second.returncode) == (0, 0)


def test_ctrl_c_ends_the_wait_and_nothing_else(start: Start) -> None:
    first = start("dbt-build")
    assert line(first.stdout) == "held\n"
    second = start("tick", "print('mine')")
    assert "waiting for dbt-build" in line(second.stderr)
    second.send_signal(signal.SIGINT)
    assert second.communicate(timeout=HANG_S) == ("", "warehouse: interrupted\n")
    assert second.returncode == 130
    first.communicate(timeout=HANG_S)
    assert first.returncode == 0


def test_a_killed_holder_lets_go(start: Start) -> None:
    first = start("dbt-build")
    assert line(first.stdout) == "held\n"
    second = start("tick", "print('mine')")
    assert "waiting for dbt-build" in line(second.stderr)
    first.kill()
    assert second.communicate(timeout=HANG_S) == ("mine\n", "")


def test_a_child_of_a_holder_does_not_wait_for_it(start: Start) -> None:
    inner = "import subprocess, sys; sys.exit(subprocess.call("
    inner += "[sys.executable, '-m', 'warehouse', 'alone', 'dbt-build', '--', sys.executable, '-c', 'print(7)']))"
    process = start("tick", inner)
    assert process.communicate(timeout=HANG_S) == ("7\n", "")
    assert process.returncode == 0


def test_a_holder_of_another_time_is_none(start: Start) -> None:
    """The variable alone is no lock: the connection it names must hold it now."""
    first = start("dbt-build")
    assert line(first.stdout) == "held\n"
    second = start("tick", "print('mine')", **{HOLDER_VARIABLE: "1"})
    assert "waiting for dbt-build" in line(second.stderr)


def test_a_wait_has_a_bound(start: Start) -> None:
    first = start("dbt-build")
    assert line(first.stdout) == "held\n"
    second = start("tick", "print('mine')", **{WAIT_VARIABLE: "0.1"})
    out, said = second.communicate(timeout=HANG_S)
    assert (out, second.returncode) == ("", 1)
    last = said.splitlines()[-1]
    assert last.startswith("expected the pipeline to be free within 0.1 s, found dbt-build (process ")
    assert "run again" in last


def test_a_wrong_bound_is_named(start: Start) -> None:
    out, said = start("tick", **{WAIT_VARIABLE: "long"}).communicate(timeout=HANG_S)
    assert out == "" and said.startswith(f"{WAIT_VARIABLE}: expected seconds, found 'long'") and said.count("\n") == 1


def test_the_command_keeps_its_exit_status(start: Start) -> None:
    process = start("tick", "raise SystemExit(3)")
    process.communicate(timeout=HANG_S)
    assert process.returncode == 3


def test_the_lock_is_free_after_a_failure(database: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    with connected(database, monkeypatch) as one, connected(database, monkeypatch) as other:
        with pytest.raises(RuntimeError), alone(one, "load"):
            raise RuntimeError("failed")
        with alone(other, "remove"):
            assert HOLDER_VARIABLE in os.environ
            monkeypatch.delenv(HOLDER_VARIABLE)
            monkeypatch.setenv(WAIT_VARIABLE, "0")
            with pytest.raises(WarehouseBusy, match="found remove"), alone(one, "load"):
                pass
        with alone(one, "load"):
            pass


def test_a_databases_lock_is_its_own(
    database: Environment, empty_database: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connected(database, monkeypatch) as one, alone(one, "load"):
        monkeypatch.delenv(HOLDER_VARIABLE)
        monkeypatch.setenv(WAIT_VARIABLE, "0")
        with connected(empty_database, monkeypatch) as other, alone(other, "load"):
            pass


def test_a_holders_name_fits_the_server_whatever_it_is_called() -> None:
    name = holder_name("load/" + "s" * 60, 4_194_304, "höst name" * 9, datetime(2026, 11, 21, 8, 5, tzinfo=UTC))
    assert len(name) <= 63 and name.isascii()
    assert holder_text(9, name) == (
        "load/sssssssssssssss (process 4194304 on h_st_nameh_s, since 2026-11-21 08:05:00 UTC)"
    )
    assert holder_text(9, "psql") == "server process 9 (psql)"
