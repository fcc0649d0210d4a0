"""Add a file to what its source holds: one transaction, each request once, the same file once."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from loader.errors import LoadError
from loader.fill import Target, check_reject_ratio, create_empty, fill_table
from loader.ledger import Span, commit_lazily, finish_batch, live_batches
from loader.load import ADDED, Attempt, Load, Policy, attempt, loaded_text, replace_source
from loader.partition import PARENT, SCHEMA, add_rows, column_names, current_partition, staged_requests_target
from warehouse.lock import alone

REPEATED = "rows_repeated"
"""In a batch's arguments: rows of the file that earlier files had brought; they count neither as read nor as loaded."""


def add_file(connection: psycopg.Connection, load: Load, policy: Policy) -> str:
    """Add the rows of one file and return a summary line; the caller is `loading`.

    A file that was added before is left alone, unless forced: then its rows are looked at once more, and those that
    are there stay as they are. Raises LoadError and leaves the tables as they were.
    """
    origin = replace(load.origin, arguments=load.origin.arguments | {ADDED: True})
    load = replace(load, origin=origin)
    for done in live_batches(connection, origin.source):
        is_same = done.data_sha256 == origin.data_sha256 and _options(done.arguments) == _options(origin.arguments)
        if is_same and not policy.force and not _was_dropped(connection, done.batch_id):
            return (
                f"{origin.source}: up to date, batch {done.batch_id} ({done.finished_at}) added the same data as "
                f"{origin.file_name} (sha256 {origin.data_sha256[:12]}...)"
            )
    partition = current_partition(connection, origin.source)
    if partition is None:
        return replace_source(connection, load, policy)
    start = time.monotonic()
    with attempt(connection, origin, "append") as batch:
        columns = tuple(column for column in column_names(connection, PARENT) if column != "source")
        target = create_empty(connection, staged_requests_target(origin.source, columns))
        with connection.transaction():
            commit_lazily(connection)
            _fill(connection, load, target, policy, batch)
        with alone(connection, f"load/{origin.source}"), connection.transaction():
            repeated = _add(connection, target, batch, partition)
            if load.requests.members:
                load.requests.members.write(connection, is_replaced=False)
    again = f", {repeated:,} were there already" if repeated else ""
    named = load.requests.members.text if load.requests.members else ""
    return (
        f"{origin.source}: {loaded_text(batch)}{again}{named}, {time.monotonic() - start:.1f} s, batch {batch.batch_id}"
    )


def _options(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return how a file was read, without what a later version of its adapter may say in other words."""
    return {name: value for name, value in arguments.items() if name not in (REPEATED, "assumptions")}


def _was_dropped(connection: psycopg.Connection, batch_id: int) -> bool:
    """Return whether rows of a batch have been dropped for their age (RETENTION_MONTHS) since it was loaded."""
    if connection.execute("select to_regclass('ops.dropped_requests') is null").fetchone() == (True,):
        return False
    row = connection.execute(
        "select exists(select from raw_staging.load_batches as b inner join ops.dropped_requests as d"
        " on b.first_requested_at < d.dropped_before where b.batch_id = %s)",
        [batch_id],
    ).fetchone()
    return row == (True,)


def _fill(connection: psycopg.Connection, load: Load, target: Target, policy: Policy, batch: Attempt) -> None:
    batch.counts = fill_table(connection, load.requests, target, batch.rejects)
    check_reject_ratio(load.requests, batch.counts, policy.max_reject_ratio, batch.rejects)
    if batch.counts.read == 0:
        raise LoadError(f"{load.requests.file.path}: expected rows behind the header, found none; check the file")


def _add(connection: psycopg.Connection, target: Target, batch: Attempt, partition: str) -> int:
    """Take the staged rows out that are there and add the rest; return how many were there."""
    repeated = connection.execute(
        sql.SQL("delete from {} as s using {} as p where p.request_id = s.request_id").format(
            target.name, sql.Identifier(SCHEMA, partition)
        )
    ).rowcount
    batch.counts.read -= repeated
    batch.counts.loaded -= repeated
    batch.span = Span(*add_rows(connection, partition, target))
    connection.execute(
        "update raw_staging.load_batches set arguments = arguments || %s where batch_id = %s",
        [Jsonb({REPEATED: repeated} if repeated else {}), batch.batch_id],
    )
    finish_batch(connection, batch.batch_id, "done", batch.counts, batch.span)
    return repeated
