"""The step `retention`: what is older than RETENTION_MONTHS leaves the warehouse; its daily sums are kept apart.

Dropped are the requests: rows of raw_staging (one partition a source, so they are deleted) and monthly partitions of
both facts. The marts follow at the build behind it, since a mart is what its fact says: one that kept months which the
fact has lost would lose them at its next rebuild without a word. So the rows of usage_daily are moved, in the same
transaction, to usage_daily_archive, which no build touches.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import LiteralString
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql

from pipeline.settings import PipelineError, Settings

FACTS = ("fct_api_requests", "fct_api_requests_sf")
SCHEMAS = ("public_star", "public_snowflake")
LOCK_TIMEOUT = "3s"
ATTEMPTS, PAUSE_S = 20, 5.0
_PARTITIONS: LiteralString = """
select n.nspname, c.relname
from pg_inherits as i
inner join pg_class as c on c.oid = i.inhrelid
inner join pg_namespace as n on n.oid = c.relnamespace
inner join pg_class as p on p.oid = i.inhparent
where
    p.relname = any(%s) and n.nspname = any(%s)
    and substring(pg_get_expr(c.relpartbound, c.oid) from $$TO \\('([^']+)'\\)$$)::timestamptz <= %s
order by 1, 2
"""
_ARCHIVE: LiteralString = """
create table if not exists public_marts.usage_daily_archive (like public_marts.usage_daily);
comment on table public_marts.usage_daily_archive is
'The rows of usage_daily whose requests were dropped for their age (RETENTION_MONTHS); add rows of one day up';
"""


def cutoff_of(now: datetime, months: int, zone: ZoneInfo) -> datetime:
    """Return the first instant that is kept: the current month and the `months` before it stay, months of `zone`."""
    today = now.astimezone(zone)
    index = today.year * 12 + today.month - 1 - months
    return datetime(index // 12, index % 12 + 1, 1, tzinfo=zone)


def drop_old_months(settings: Settings, now: datetime | None = None) -> str:
    """Drop what is older than the settings allow, in one transaction; return what was done.

    Raises PipelineError where readers do not let go of the facts.
    """
    if settings.retention_months is None:
        return "retention: RETENTION_MONTHS is not set: everything is kept"
    cutoff = cutoff_of(now or datetime.now(UTC), settings.retention_months, settings.zone)
    for _ in range(ATTEMPTS):
        try:
            with psycopg.connect("") as connection:
                return _drop(connection, cutoff)
        except psycopg.errors.LockNotAvailable:
            time.sleep(PAUSE_S)
    raise PipelineError(
        f"retention: expected readers of the facts to pause for a moment in {ATTEMPTS * PAUSE_S:g} s, found none;"
        " nothing was dropped, the next daily run tries again"
    )


def _drop(connection: psycopg.Connection, cutoff: datetime) -> str:
    connection.execute("set role portfolio_owner")
    connection.execute(sql.SQL("set timezone = 'UTC'; set local lock_timeout = {}").format(LOCK_TIMEOUT))
    first = _one(
        connection, "select min(requested_at) from public_star.fct_api_requests where requested_at < %s", cutoff
    )
    archived = _archive(connection, cutoff)
    deleted = connection.execute("delete from raw_staging.api_requests where requested_at < %s", [cutoff]).rowcount
    partitions = connection.execute(_PARTITIONS, [list(FACTS), list(SCHEMAS), cutoff]).fetchall()
    for schema, name in partitions:
        connection.execute(sql.SQL("drop table {}").format(sql.Identifier(schema, name)))
    for schema, fact in zip(SCHEMAS, FACTS, strict=True):
        statement = sql.SQL("delete from {} where requested_at < %s").format(sql.Identifier(schema, fact))
        connection.execute(statement, [cutoff])  # the hours in which a month of the zone and one of UTC differ
    if first is not None:
        _note(connection, first, cutoff)
    return (
        f"retention: before {cutoff:%Y-%m-%d %H:%M %Z}: {deleted:,} raw requests deleted, {len(partitions)} monthly"
        f" partitions dropped, {archived:,} rows of usage_daily archived"
    )


def _archive(connection: psycopg.Connection, cutoff: datetime) -> int:
    """Move the rows of usage_daily of all days before the cutoff; columns that it has gained since are added."""
    connection.execute(_ARCHIVE)
    columns = connection.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = 'public_marts.usage_daily'::regclass and attnum > 0 and not attisdropped order by attnum"
    ).fetchall()
    for name, kind in columns:
        add = sql.SQL("alter table public_marts.usage_daily_archive add column if not exists {} {}")
        connection.execute(add.format(sql.Identifier(name), sql.SQL(kind)))
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)
    move = sql.SQL(
        "with moved as (delete from public_marts.usage_daily where day_on < %s returning *)"
        " insert into public_marts.usage_daily_archive ({}) select {} from moved"
    ).format(names, names)
    return connection.execute(move, [cutoff.date()]).rowcount


def _note(connection: psycopg.Connection, first: object, cutoff: datetime) -> None:
    """Tell the next build that the fact has changed; the second fact has been changed alike and need not follow."""
    before = _one(connection, "select coalesce(max(change_id), 0) from ops.fact_changes")
    change = _one(
        connection,
        "insert into ops.fact_changes (changed_from, changed_to)"
        " values (%s, %s::timestamptz - interval '1 microsecond') returning change_id",
        first,
        cutoff,
    )
    connection.execute(
        "update ops.applied_changes set change_id = %s where model_name = 'fct_api_requests_sf' and change_id = %s",
        [change, before],
    )
    connection.execute("delete from ops.dropped_requests")
    connection.execute("insert into ops.dropped_requests (dropped_before) values (%s)", [cutoff])


def _one(connection: psycopg.Connection, statement: LiteralString, *values: object) -> object:
    row: Sequence[object] | None = connection.execute(statement, values).fetchone()
    return row[0] if row else None
