"""Record what ran in ops.pipeline_events, whatever becomes of the run: started, ended, failed, killed.

Events have a connection of their own, so that no rollback of the run takes them along. It holds an advisory lock for as
long as the run lasts: a later run that finds a start without an end, and its lock free, knows that the run was killed.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg

from warehouse.connection import WarehouseUnavailable
from warehouse.keeping import forget_old_events

Connect = Callable[[], psycopg.Connection]
EVENTS_OWNER = "portfolio_owner"
_LOCK_SPACE = 7_460_003  # first half of the advisory lock's key; the second is the run


@dataclass
class Run:
    """A run under way; `status` is what its end will say unless an exception says otherwise."""

    pipeline_id: str
    run_id: uuid.UUID = field(default_factory=uuid.uuid4)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: str = "done"


@contextmanager
def pipeline_run(connect: Connect, pipeline_id: str) -> Iterator[Run]:
    """Record the start and the end of what runs inside; a run before it that was killed gets its end as well.

    `connect` opens a connection to the warehouse. Where none can be had, or the tables are not there yet, what runs
    inside does so all the same: the start is written with the end, and if that fails too a line on stderr says so,
    unless an exception already says what is wrong.
    """
    run = Run(pipeline_id)
    recorder = _Recorder(connect, run)
    recorder.write_start()
    try:
        yield run
    except BaseException as error:
        run.status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        recorder.write_end()
        raise
    if cause := recorder.write_end():
        print(f"events: expected to record {pipeline_id!r}, found: {cause}; what ran is not affected", file=sys.stderr)


class _Recorder:
    """Writes the events of one run."""

    def __init__(self, connect: Connect, run: Run) -> None:
        self._connect = connect
        self._run = run
        self._connection: psycopg.Connection | None = None

    def write_start(self) -> None:
        """Record the start if that is possible yet."""
        with suppress(psycopg.Error, WarehouseUnavailable):
            self._connection = self._open()

    def write_end(self) -> str | None:
        """Record the end, over a new connection where the first is gone; return why that was not possible."""
        ended_at = datetime.now(UTC)
        try:
            try:
                if self._connection is None:
                    raise psycopg.OperationalError("no connection yet")
                _insert_end(self._connection, self._run, ended_at)
            except psycopg.Error:
                self._close()
                self._connection = self._open()
                _insert_end(self._connection, self._run, ended_at)
        except (psycopg.Error, WarehouseUnavailable) as error:
            return " ".join(str(error).split())
        finally:
            self._close()
        return None

    def _open(self) -> psycopg.Connection:
        """Return a connection that holds the run's lock, its start being recorded."""
        connection = self._connect()
        try:
            connection.autocommit = True
            connection.execute(f"set role {EVENTS_OWNER}")
            connection.execute("select pg_advisory_lock(%s, hashtext(%s))", [_LOCK_SPACE, str(self._run.run_id)])
            with connection.transaction():
                _close_killed_runs(connection, self._run.pipeline_id)
                _insert_start(connection, self._run)
                forget_old_events(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _insert_start(connection: psycopg.Connection, run: Run) -> None:
    connection.execute(
        "insert into ops.pipeline_events (event_name, pipeline_id, run_id, occurred_at)"
        " values ('pipeline_run_start', %s, %s, %s) on conflict do nothing",
        [run.pipeline_id, run.run_id, run.started_at],
    )


def _insert_end(connection: psycopg.Connection, run: Run, ended_at: datetime) -> None:
    """Record the end; it replaces one that a later run wrote when this one had lost its lock with its connection."""
    connection.execute(
        "insert into ops.pipeline_events (event_name, pipeline_id, run_id, occurred_at, status, duration_sec)"
        " values ('pipeline_run_end', %s, %s, %s, %s, %s)"
        " on conflict (run_id, event_name) where event_name <> 'data_freshness' do update"
        " set occurred_at = excluded.occurred_at, status = excluded.status, duration_sec = excluded.duration_sec",
        [run.pipeline_id, run.run_id, ended_at, run.status, (ended_at - run.started_at).total_seconds()],
    )


def _close_killed_runs(connection: psycopg.Connection, pipeline_id: str) -> None:
    """Record the end of each run of the pipeline that has none and no longer holds its lock."""
    connection.execute(
        "insert into ops.pipeline_events (event_name, pipeline_id, run_id, status, duration_sec)"
        " select 'pipeline_run_end', s.pipeline_id, s.run_id, 'killed',"
        "  extract(epoch from clock_timestamp() - s.occurred_at)"
        " from ops.pipeline_events as s"
        " where s.event_name = 'pipeline_run_start' and s.pipeline_id = %s and not exists ("
        "  select from ops.pipeline_events as e where e.run_id = s.run_id and e.event_name = 'pipeline_run_end')"
        " and pg_try_advisory_xact_lock(%s, hashtext(s.run_id::text))"
        " on conflict do nothing",
        [pipeline_id, _LOCK_SPACE],
    )
