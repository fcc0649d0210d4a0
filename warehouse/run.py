"""Run a command and record in ops.pipeline_events that it ran: `python -m warehouse run PIPELINE -- CMD ...`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

import psycopg

from warehouse.child import dies_with_parent
from warehouse.connection import WarehouseUnavailable, connect, connection_environment
from warehouse.events import pipeline_run
from warehouse.lock import alone

_REPOSITORY = Path(__file__).resolve().parent.parent
_FORWARDED = (signal.SIGTERM, signal.SIGHUP)


def run_recorded(pipeline_id: str, words: list[str]) -> int:
    """Run the command `words` with the server's variables and return its exit status (128 + signal where killed).

    Without a server the command runs as well, with a warning on stderr. Returns 127 where the program does not exist.
    """
    try:
        os.environ.update(connection_environment())  # found once, for this process and the command
    except WarehouseUnavailable as error:
        print(f"run: the events of {pipeline_id!r} are not recorded: {error}", file=sys.stderr)
        return _run(words)
    with pipeline_run(_connect_with_tables, pipeline_id) as run:
        status = _run(words)
        if status:
            run.status = "interrupted" if status == 128 + signal.SIGINT else "failed"
    return status


def run_alone(name: str, words: list[str]) -> int:
    """Run the command `words` under the pipeline's lock, waiting for it; return its exit status as `run_recorded` does.

    Raises WarehouseUnavailable without a server, or where the lock does not become free.
    """
    os.environ.update(connection_environment())
    with connect(autocommit=True) as connection, alone(connection, name):
        return _run(words)


def _connect_with_tables() -> psycopg.Connection:
    """Return a connection to a database that has the tables of events; the loader creates them on first need."""
    connection = connect(autocommit=True)
    row = connection.execute("select to_regclass('ops.pipeline_events') is null").fetchone()
    if row == (True,):
        command = [sys.executable, "-m", "loader", "init"]
        result = subprocess.run(command, cwd=_REPOSITORY, capture_output=True, text=True)
        if result.returncode != 0:
            connection.close()
            raise WarehouseUnavailable(result.stderr.strip())
    return connection


def _run(words: list[str]) -> int:
    """Run a command to its end, whatever signal asks this process to end meanwhile; return its exit status."""
    try:
        process = subprocess.Popen(words, preexec_fn=dies_with_parent())
    except OSError as error:
        print(f"run: expected a program, found {error.strerror} for {words[0]}; check its name", file=sys.stderr)
        return 127 if isinstance(error, FileNotFoundError) else 126

    def forward(number: int, _: FrameType | None) -> None:
        process.send_signal(number)

    before = {number: signal.signal(number, forward) for number in _FORWARDED}
    # The terminal sends Ctrl-C to the command as well: it decides what that means.
    before[signal.SIGINT] = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        status = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status
