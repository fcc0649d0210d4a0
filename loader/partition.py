"""The life of a source's partition: built aside, swapped in by one short transaction, removed where a load left it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

import psycopg
from psycopg import sql

from loader.errors import LoadError
from loader.fill import Target
from loader.ledger import Counts, Span, finish_batch

SCHEMA, PARENT = "raw_staging", "api_requests"
_LOCK_TIMEOUT = "100ms"
"""How long readers may queue behind a swap that itself waits for a reader."""
_NOT_GENERATED = (
    "source",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "team_id",
    "cost_reported_usd",
)
"""Columns of api_requests that a generated file does not have."""
_RETRY_PAUSES_S = (0.1, 0.2, 0.5, 1.0)  # then the last again


def partition_name(source: str, batch_id: int) -> str:
    """Return the name of the partition that batch `batch_id` of `source` builds."""
    return f"{PARENT}_{source.replace('-', '_')}_{batch_id}"


def partition_target(connection: psycopg.Connection, source: str, batch_id: int) -> Target:
    """Describe the table that is to become the partition of `source`; its check spares the swap a scan of the rows.

    Created beforehand is its shape alone: a transaction that fills and has looked at api_requests would keep every
    other source from its swap, and a table that others see while it is filled would stop a backup.
    """
    name, shape = sql.Identifier(SCHEMA, partition_name(source, batch_id)), staged_name("shape")
    create = (
        sql.SQL("drop table if exists {}").format(shape),
        sql.SQL("create temp table {} (like raw_staging.api_requests including defaults including constraints)").format(
            shape
        ),
    )
    empty = (
        sql.SQL("create table {} (like {} including defaults including constraints)").format(name, shape),
        sql.SQL("alter table {} alter source set default {}, add check (source = {})").format(name, source, source),
    )
    return Target(name, create, request_columns(connection), ("source", "request_id"), empty)


def request_columns(connection: psycopg.Connection) -> tuple[str, ...]:
    """Return the columns of a generated file of requests."""
    return tuple(name for name in column_names(connection, PARENT) if name not in _NOT_GENERATED)


def complete_partition(connection: psycopg.Connection, table: sql.Identifier) -> Span:
    """Index and analyze a partition that has been filled; return the time its rows cover.

    The index must be there before the swap, which would build it while readers wait.
    """
    connection.execute(sql.SQL("create index on {} using brin (requested_at)").format(table))
    # A fifth of the usual sample: enough for joins and groupings until autovacuum looks, at a fifth of the time.
    connection.execute("set local default_statistics_target = 20")
    connection.execute(sql.SQL("analyze {}").format(table))
    row = connection.execute(sql.SQL("select min(requested_at), max(requested_at) from {}").format(table)).fetchone()
    return Span(*row) if row else Span()


def staged_target(connection: psycopg.Connection, table: str, key: str) -> Target:
    """Describe the temporary twin of a small raw table, from which the swap replaces it."""
    name = staged_name(table)
    create = (
        sql.SQL("drop table if exists {}").format(name),  # of the load before in this session
        sql.SQL("create temp table {} (like {} including defaults including constraints)").format(
            name, sql.Identifier(SCHEMA, table)
        ),
    )
    return Target(name, create, tuple(column_names(connection, table)), (key,))


def staged_requests_target(source: str, columns: tuple[str, ...]) -> Target:
    """Describe the temporary table for requests that are to be added to those of `source`."""
    name = staged_name(PARENT)
    create = (
        sql.SQL("drop table if exists {}").format(name),
        sql.SQL("create temp table {} (like raw_staging.api_requests including defaults including constraints)").format(
            name
        ),
        sql.SQL("alter table {} alter source set default {}").format(name, source),
    )
    return Target(name, create, columns, ("source", "request_id"))


def add_rows(connection: psycopg.Connection, partition: str, staged: Target) -> tuple[datetime | None, datetime | None]:
    """Insert staged requests into a partition that is in use; return the first and last time among them.

    Readers see them at the commit and never wait. The rows are new to the planner's statistics and to the index, which
    only vacuum would bring up to date.
    """
    name = sql.Identifier(SCHEMA, partition)
    columns = sql.SQL(", ").join(map(sql.Identifier, ("source", *staged.columns)))
    connection.execute(
        sql.SQL("insert into {} ({}) select {} from {} order by requested_at, request_id").format(
            name, columns, columns, staged.name
        )
    )
    connection.execute(
        "select brin_summarize_new_values(i.indexrelid) from pg_index as i"
        " inner join pg_class as c on c.oid = i.indexrelid inner join pg_am as a on a.oid = c.relam"
        " where i.indrelid = to_regclass(%s) and a.amname = 'brin'",
        [f"{SCHEMA}.{partition}"],
    )
    connection.execute("set local default_statistics_target = 20")
    connection.execute(sql.SQL("analyze {} (requested_at)").format(name))
    statement = sql.SQL("select min(requested_at), max(requested_at) from {}").format(staged.name)
    row = connection.execute(statement).fetchone()
    return row if row else (None, None)


def staged_name(table: str) -> sql.Identifier:
    """Return the name of a small table's temporary twin."""
    return sql.Identifier("pg_temp", f"staged_{table}")


def column_names(connection: psycopg.Connection, table: str) -> list[str]:
    """Return the columns of a raw table in order."""
    rows = connection.execute(
        "select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped"
        " order by attnum",
        [f"{SCHEMA}.{table}"],
    )
    return [name for (name,) in rows]


def current_partition(connection: psycopg.Connection, source: str) -> str | None:
    """Return the name of the partition in which readers see `source`."""
    row = connection.execute(
        "select c.relname from pg_inherits as i inner join pg_class as c on c.oid = i.inhrelid"
        " where i.inhparent = 'raw_staging.api_requests'::regclass"
        " and pg_get_expr(c.relpartbound, c.oid) = format('FOR VALUES IN (%%L)', %s::text)",
        [source],
    ).fetchone()
    return row[0] if row else None


def replace_small_table(connection: psycopg.Connection, table: str) -> None:
    """Put the rows of the temporary twin in the place of a small table's; readers see the old ones until the commit."""
    name = sql.Identifier(SCHEMA, table)
    connection.execute(sql.SQL("delete from {}").format(name))
    connection.execute(sql.SQL("insert into {} select * from {}").format(name, staged_name(table)))


def swap_in(connection: psycopg.Connection, source: str, batch_id: int, wait_s: float) -> None:
    """Replace the partition of `source` by the one batch `batch_id` built, inside the caller's transaction.

    Raises LoadError after `wait_s` seconds, naming who is in the way.
    """
    _when_readers_pause(connection, wait_s, lambda: _swap_now(connection, source, batch_id))


def take_out(connection: psycopg.Connection, source: str, wait_s: float) -> None:
    """Drop the partition of `source`, inside the caller's transaction. Raises LoadError as `swap_in` does."""
    _when_readers_pause(connection, wait_s, lambda: _drop_current(connection, source))


def _when_readers_pause(connection: psycopg.Connection, wait_s: float, change: Callable[[], None]) -> None:
    """Carry out `change` under the parent's lock.

    The lock is asked for with a short timeout and given back in between, so that readers never queue for long behind a
    change that waits for a long query.
    """
    deadline = time.monotonic() + wait_s
    attempt = 0
    while True:
        try:
            with connection.transaction():
                connection.execute(sql.SQL("set local lock_timeout = {}").format(_LOCK_TIMEOUT))
                connection.execute("lock table only raw_staging.api_requests in access exclusive mode")
                change()
            return
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            if time.monotonic() > deadline:
                raise LoadError(
                    f"expected readers of raw_staging.api_requests to pause within {wait_s:g} s, found it read by "
                    f"{_readers(connection)}; run again when that has ended"
                ) from None
        time.sleep(_RETRY_PAUSES_S[min(attempt, len(_RETRY_PAUSES_S) - 1)])
        attempt += 1


def _drop_current(connection: psycopg.Connection, source: str) -> None:
    old = current_partition(connection, source)
    if old is not None:
        connection.execute(sql.SQL("drop table {}").format(sql.Identifier(SCHEMA, old)))


def _swap_now(connection: psycopg.Connection, source: str, batch_id: int) -> None:
    _drop_current(connection, source)
    connection.execute(
        sql.SQL("alter table raw_staging.api_requests attach partition {} for values in ({})").format(
            sql.Identifier(SCHEMA, partition_name(source, batch_id)), source
        )
    )


def _readers(connection: psycopg.Connection) -> str:
    rows = connection.execute(
        "select distinct l.pid, a.usename, a.application_name from pg_locks as l"
        " inner join pg_stat_activity as a on a.pid = l.pid"
        " where l.relation = 'raw_staging.api_requests'::regclass and l.granted and l.pid <> pg_backend_pid()"
    ).fetchall()
    return ", ".join(f"server process {pid} ({user}, {application})" for pid, user, application in rows) or "others"


def abandon_batch(connection: psycopg.Connection, source: str, batch_id: int, error: str, counts: Counts) -> None:
    """Mark a batch that is still running failed and drop what it built; one that has been swapped in stays."""
    with connection.transaction():
        if finish_batch(connection, batch_id, "failed", counts, error=error):
            name = sql.Identifier(SCHEMA, partition_name(source, batch_id))
            connection.execute(sql.SQL("drop table if exists {}").format(name))


def abandon_killed_batches(connection: psycopg.Connection, source: str) -> None:
    """Clear up after loads of `source`, whose lock the caller holds, that ended without doing so."""
    rows = connection.execute(
        "select batch_id from raw_staging.load_batches where source = %s and status = 'running'", [source]
    ).fetchall()
    for (batch_id,) in rows:
        abandon_batch(connection, source, batch_id, "the loader ended before the load did", Counts())
