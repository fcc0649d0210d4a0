"""What the loader's ledger knows of one file, as the report that is put beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg.rows import class_row

from loader.rejects import KEPT_DAYS

_BATCH: LiteralString = """
select
    batch_id, source, status, rows_read, rows_loaded, rows_rejected, first_requested_at, last_requested_at,
    coalesce((arguments ->> 'rows_repeated')::bigint, 0) as rows_repeated,
    (select count(*) from raw_staging.rejected_rows where batch_id = load_batches.batch_id) as rows_kept
from raw_staging.load_batches
where source = %s and sha256 = %s
order by batch_id desc
limit 1
"""
_REASONS: LiteralString = """
select expected, row_count, first_line, example
from raw_staging.rejected_reasons
where batch_id = %s
order by row_count desc, expected
limit 20
"""


@dataclass(frozen=True)
class Batch:
    """One attempt of the loader at a file."""

    batch_id: int
    source: str
    status: str
    rows_read: int
    rows_loaded: int
    rows_rejected: int
    first_requested_at: datetime | None
    last_requested_at: datetime | None
    rows_repeated: int
    rows_kept: int


def newest_batch(source: str, sha256: str) -> Batch | None:
    """Return the loader's last attempt at the bytes of a file, None where there was none."""
    with psycopg.connect("", row_factory=class_row(Batch)) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.execute(_BATCH, [source, sha256]).fetchone()


def reasons(batch_id: int) -> list[tuple[Any, ...]]:
    """Return what was expected, of how many rows, the first line, and its reason in full; the most frequent first."""
    with psycopg.connect("") as connection:
        return connection.execute(_REASONS, [batch_id]).fetchall()


def report_text(name: str, result: str, said: str, batch: Batch | None, rejected: list[tuple[Any, ...]]) -> str:
    """Return a report: the file, what became of it, its rows, the time they cover, and why rows were rejected."""
    lines = [f"file      {name}", f"result    {result}"]
    if batch is not None:
        lines += [
            f"batch     {batch.batch_id} of source {batch.source} (raw_staging.load_batches)",
            f"rows      read {batch.rows_read:,}, loaded {batch.rows_loaded:,}, rejected {batch.rows_rejected:,}"
            + (f"; {batch.rows_repeated:,} more were there already" if batch.rows_repeated else ""),
        ]
        if batch.first_requested_at and batch.last_requested_at:
            first, last = (f"{at:%Y-%m-%d %H:%M:%S}" for at in (batch.first_requested_at, batch.last_requested_at))
            lines.append(f"time      {first} to {last} UTC")
        for _, count, line, reason in rejected:
            lines.append(f"rejected  {count:,} rows, the first in line {line}: {reason[:300]}")
        if rejected:
            lines.append(f"          {_where(batch)}")
    return "\n".join([*lines, *(f"said      {line}" for line in said.splitlines())]) + "\n"


def _where(batch: Batch) -> str:
    place = f"raw_staging.rejected_rows, batch_id {batch.batch_id}, for {KEPT_DAYS} days"
    if batch.rows_rejected == batch.rows_kept:
        return f"every one: {place}"
    return f"the first of them: {place}; every one is a line of the file, which is beside this report"
