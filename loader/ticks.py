"""Append ticks: one more day of the generated set each, in one transaction, straight into the partition readers see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import psycopg
from psycopg import sql

from loader.changes import HISTORIES, apply_changes
from loader.errors import LoadError
from loader.fill import TableInput, Target, check_reject_ratio, create_empty, fill_table
from loader.ledger import DoneBatch, Origin, Span, commit_lazily, finish_batch
from loader.load import Attempt, Policy, attempt, fill_staged, loaded_text, staged_targets
from loader.partition import (
    SCHEMA,
    add_rows,
    current_partition,
    request_columns,
    staged_name,
    staged_requests_target,
)
from warehouse.lock import alone

_NEXT_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Tick:
    """One day of a generated set: where it stands in the chain, and its files."""

    folder: Path
    day: date
    previous_sha256: str
    origin: Origin
    requests: TableInput
    small_tables: tuple[TableInput, ...]


def loaded_batch(live: Sequence[DoneBatch], tick: Tick) -> DoneBatch | None:
    """Return the batch that loaded `tick`, or None where it is the next to append to `live`.

    Raises LoadError naming what stands between them: no base, a hole, a clock that goes backwards, or other data.
    """
    where = f"in {tick.folder}"
    for batch in live:
        if batch.data_sha256 == tick.origin.data_sha256:
            return batch
    last = live[-1] if live else None
    if last is None or last.last_day is None or last.data_sha256 is None:
        raise LoadError(f"expected the data set loaded that {tick.day} continues, found none; load that first")
    expected = last.last_day + _NEXT_DAY
    if tick.day < expected:
        raise LoadError(
            f"expected a day after {last.last_day}, the last one loaded, found {tick.day} with other data {where}; "
            "time does not go back: load the whole set with --force to start again"
        )
    if tick.day > expected:
        missing = str(expected) if tick.day == expected + _NEXT_DAY else f"{expected} to {tick.day - _NEXT_DAY}"
        raise LoadError(
            f"expected the tick {expected} next, found {tick.day} {where}; append the missing {missing} first"
        )
    if tick.previous_sha256 != last.data_sha256:
        raise LoadError(
            f"expected a tick that continues the data of batch {last.batch_id} (sha256 {last.data_sha256[:12]}...), "
            f"found one that continues {tick.previous_sha256[:12]}... {where}; load the data set it belongs to first"
        )
    return None


def append_tick(connection: psycopg.Connection, tick: Tick, policy: Policy) -> Attempt:
    """Append a tick that is the next one; the caller is `loading`. Raises LoadError, the tables being as before."""
    with attempt(connection, tick.origin, "append") as batch:
        target = create_empty(connection, staged_requests_target(tick.origin.source, request_columns(connection)))
        staged = staged_targets(connection, tick.small_tables)
        with connection.transaction():
            commit_lazily(connection)
            fill_staged(connection, staged, batch)
            _fill(connection, tick, target, policy, batch)
        with alone(connection, f"load/{tick.origin.source}"), connection.transaction():
            _append(connection, tick, target, batch)
    return batch


def appended_text(batches: Sequence[Attempt], seconds: float) -> str:
    """Return what the appends, in order of days, loaded and rejected, as one line."""
    first, last = batches[0], batches[-1]
    total = Attempt(last.batch_id, next((b.rejects for b in batches if b.counts.rejected), last.rejects))
    for batch in batches:
        total.counts.loaded += batch.counts.loaded
        total.counts.rejected += batch.counts.rejected
        for table, rows in batch.small_rows.items():
            total.small_rows[table] = total.small_rows.get(table, 0) + rows
    days, ids = f"{first.span.last_day}", f"batch {first.batch_id}"
    if len(batches) > 1:
        days, ids = f"{days} to {last.span.last_day}", f"batches {first.batch_id} to {last.batch_id}"
    return f"appended {days}: {loaded_text(total)}, {seconds:.1f} s, {ids}"


def _fill(connection: psycopg.Connection, tick: Tick, target: Target, policy: Policy, batch: Attempt) -> None:
    batch.counts = fill_table(connection, tick.requests, target, batch.rejects)
    check_reject_ratio(tick.requests, batch.counts, policy.max_reject_ratio, batch.rejects)


def _append(connection: psycopg.Connection, tick: Tick, target: Target, batch: Attempt) -> None:
    partition = current_partition(connection, tick.origin.source)
    if partition is None:
        raise LoadError(
            f"expected a partition of {tick.origin.source!r} to append to, found none; load the data set again"
        )
    for history in HISTORIES:
        apply_changes(connection, history, tick.day)
    _add_date(connection, tick.day)
    first, last = add_rows(connection, partition, target)
    batch.span = Span(first, last, tick.day)
    finish_batch(connection, batch.batch_id, "done", batch.counts, batch.span)


def _add_date(connection: psycopg.Connection, day: date) -> None:
    staged = staged_name("dates")
    found = [row[0] for row in connection.execute(sql.SQL("select full_date from {} order by 1").format(staged))]
    if found != [day]:
        days = ", ".join(map(str, found)) or "none"
        raise LoadError(f"dates of {day}: expected that day alone, found {days}; generate the tick again")
    connection.execute(sql.SQL("insert into {} select * from {}").format(sql.Identifier(SCHEMA, "dates"), staged))
