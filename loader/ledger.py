"""The loader's own records: load_batches, and the lock that keeps two loads of one source apart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from loader.errors import AttemptFailed, LoadError, encodable

_LOCK_SPACE = 7_460_002  # first half of the advisory lock's key; the second is the source
_LOCK_WAIT_S = 3.0  # a killed load's server process may need a moment to notice


@dataclass(frozen=True)
class Origin:
    """Where the rows of one load are from: the file read, and what makes its data the same data; empty if unknown."""

    source: str
    file_name: str
    sha256: str
    data_sha256: str
    arguments: dict[str, Any]


@dataclass
class Counts:
    """Rows of api_requests so far."""

    read: int = 0
    loaded: int = 0
    rejected: int = 0


class Span(NamedTuple):
    """The time that the rows loaded cover, and the day that a generated set reaches."""

    first_requested_at: datetime | None = None
    last_requested_at: datetime | None = None
    last_day: date | None = None


NO_SPAN = Span()


class DoneBatch(NamedTuple):
    """A finished load whose rows readers see."""

    batch_id: int
    data_sha256: str | None
    last_day: date | None
    arguments: dict[str, Any]
    rows_read: int
    rows_rejected: int
    finished_at: str


@contextmanager
def source_lock(connection: psycopg.Connection, source: str) -> Iterator[None]:
    """Hold the lock of `source`; raises LoadError when another load of it has it."""
    deadline = time.monotonic() + _LOCK_WAIT_S
    key = [_LOCK_SPACE, source]
    while not _scalar(connection, "select pg_try_advisory_lock(%s, hashtext(%s))", key):
        if time.monotonic() > deadline:
            pid = _scalar(
                connection,
                "select pid from pg_locks where locktype = 'advisory' and granted and classid = %s"
                " and objid = hashtext(%s)::bit(32)::bigint::oid and database = "
                "(select oid from pg_database where datname = current_database())",
                key,
            )
            raise LoadError(
                f"expected no other load of {source!r}, found one under way (server process {pid}); "
                "wait for it to end or stop it"
            )
        time.sleep(0.1)
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("select pg_advisory_unlock(%s, hashtext(%s))", key)


def live_batches(connection: psycopg.Connection, source: str) -> list[DoneBatch]:
    """Return the loads that make up what readers see of `source`: a replace, then its appends in order."""
    rows = connection.execute(
        "select batch_id, data_sha256, last_day, arguments, rows_read, rows_rejected,"
        " to_char(finished_at, 'YYYY-MM-DD HH24:MI') || ' UTC'"
        " from raw_staging.live_batches where source = %s order by batch_id",
        [source],
    )
    return [DoneBatch(*row) for row in rows]


def start_batch(connection: psycopg.Connection, origin: Origin, mode: str) -> int:
    """Record that a load begins; return its batch_id."""
    with connection.transaction():
        commit_lazily(connection)
        return int(
            _scalar(
                connection,
                "insert into raw_staging.load_batches (source, file_name, sha256, data_sha256, arguments, mode)"
                " values (%s, %s, %s, %s, %s, %s) returning batch_id",
                [
                    origin.source,
                    storable(origin.file_name),
                    origin.sha256,
                    origin.data_sha256,
                    Jsonb(origin.arguments),
                    mode,
                ],
            )
        )


def commit_lazily(connection: psycopg.Connection) -> None:
    """Let this transaction's commit reach the disk with a later one: a crash before that undoes an unfinished load."""
    connection.execute("set local synchronous_commit = off")


def finish_batch(
    connection: psycopg.Connection,
    batch_id: int,
    status: str,
    counts: Counts,
    span: Span = NO_SPAN,
    error: str | None = None,
) -> bool:
    """Record how a running load ended; return False where it had ended before. A failed one has loaded nothing."""
    loaded = counts.loaded if status == "done" else 0
    cursor = connection.execute(
        "update raw_staging.load_batches set status = %s, rows_read = %s, rows_loaded = %s, rows_rejected = %s,"
        " first_requested_at = %s, last_requested_at = %s, last_day = %s,"
        " error = %s, finished_at = clock_timestamp() where batch_id = %s and status = 'running'",
        [status, counts.read, loaded, counts.rejected, *span, error and storable(error), batch_id],
    )
    return cursor.rowcount == 1


def reached_day(connection: psycopg.Connection, span: Span) -> date | None:
    """Return the last day of the calendar just loaded, or of the requests where one is later."""
    statement = "select greatest(max(full_date), (%s::timestamptz at time zone 'UTC')::date) from raw_staging.dates"
    day: date | None = _scalar(connection, statement, [span.last_requested_at])
    return day


@contextmanager
def refusal_recorded(connection: psycopg.Connection, origin: Origin, mode: str) -> Iterator[None]:
    """Record what is refused before an attempt begins as a batch that failed."""
    try:
        yield
    except AttemptFailed:
        raise
    except LoadError as error:
        with connection.transaction():  # the load that is under way may clear up what it takes for a killed one
            batch_id = start_batch(connection, origin, mode)
            finish_batch(connection, batch_id, "failed", Counts(), error=str(error))
        raise


def storable(text: str, limit: int = 4000) -> str:
    """Return `text` as PostgreSQL can store it: undecodable bytes and NUL escaped, the end cut off beyond `limit`."""
    kept = encodable(text[:limit]).replace("\0", "\\x00")
    return kept if len(text) <= limit else f"{kept}... ({len(text):,} characters in all)"


def status_lines(connection: psycopg.Connection, limit: int = 20) -> list[str]:
    """Return the latest batches as aligned lines, newest first, headed by the columns' names."""
    rows = connection.execute(
        "select batch_id, source, status, rows_read, rows_loaded, rows_rejected,"
        " to_char(started_at, 'YYYY-MM-DD HH24:MI:SS'),"
        " coalesce(round(extract(epoch from finished_at - started_at), 1)::text, ''), file_name"
        " from raw_staging.load_batches order by batch_id desc limit %s",
        [limit],
    ).fetchall()
    names = ("batch", "source", "status", "read", "loaded", "rejected", "started (UTC)", "seconds", "file")
    table = [names, *([str(value) for value in row] for row in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(names))]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in table]


def _scalar(connection: psycopg.Connection, statement: str, values: list[Any]) -> Any:
    row = connection.execute(statement.encode(), values).fetchone()
    return row[0] if row else None
