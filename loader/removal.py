"""Take a source out again: its requests, and what a generated set brought beside them."""

from __future__ import annotations

import psycopg
from psycopg import sql

from loader.changes import HISTORIES
from loader.errors import LoadError
from loader.ledger import Origin, finish_batch
from loader.load import attempt
from loader.manifest import SOURCE
from loader.members import remove_members
from loader.partition import SCHEMA, current_partition, take_out
from warehouse.lock import alone

_GENERATED = ("users", "models", "endpoints", "dates", *(history.versions for history in HISTORIES))
REMOVED = "(source removed)"
"""Where the ledger has a file's name."""


def remove_source(connection: psycopg.Connection, source: str, swap_wait_s: float) -> str:
    """Remove the source and return a summary line; the caller is `loading`. Batches and rejected rows stay as a record.

    The removal is a batch of its own without rows, so that the next build takes the requests out of the models. Raises
    LoadError where the source holds nothing, naming those that do.
    """
    partition = current_partition(connection, source)
    if partition is None:
        found = ", ".join(_sources(connection)) or "none"
        raise LoadError(f"expected a source that is loaded, found nothing of {source!r}; loaded are: {found}")
    count = sql.SQL("select count(*) from {}").format(sql.Identifier(SCHEMA, partition))
    rows = connection.execute(count).fetchone()
    with (
        attempt(connection, removal_origin(source), "replace") as batch,
        alone(connection, f"remove/{source}"),
        connection.transaction(),
    ):
        if source == SOURCE:
            for table in _GENERATED:
                connection.execute(sql.SQL("delete from {}").format(sql.Identifier(SCHEMA, table)))
        remove_members(connection, source)
        finish_batch(connection, batch.batch_id, "done", batch.counts)
        take_out(connection, source, swap_wait_s)
    return f"{source}: {rows[0] if rows else 0:,} api_requests removed, batch {batch.batch_id}; run dbt-build next"


def removal_origin(source: str) -> Origin:
    """Return the origin of the batch that takes the place of a source."""
    return Origin(source, REMOVED, "", "", {"removed": True})


def _sources(connection: psycopg.Connection) -> list[str]:
    rows = connection.execute(
        "select distinct b.source from raw_staging.live_batches as b where b.rows_loaded > 0 order by 1"
    )
    return [name for (name,) in rows]
