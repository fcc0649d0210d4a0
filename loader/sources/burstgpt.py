"""BurstGPT traces: requests to ChatGPT and GPT-4, timed in seconds since the start of a day that is not named.

Files of the first releases have six columns, later ones eight (with Session ID and Elapsed time, in whole seconds).
The files name no user and no status; a response of 0 tokens is kept as it is.
Source: HPMLL/BurstGPT on GitHub, licence CC-BY-4.0.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from loader.columns import TIMESTAMP_TYPE, typed_chunk
from loader.kinds import INT_MAX, LAST_YEAR, TEXT, TOKENS, Column, Kind
from loader.records import read_chunks
from loader.request_ids import Occurrences, request_ids
from loader.rows import Batches
from loader.sources.adapter import Adapter, Context

SIX = ("Timestamp", "Model", "Request tokens", "Response tokens", "Total tokens", "Log Type")
EIGHT = ("Timestamp", "Session ID", "Elapsed time", *SIX[1:])
_SECONDS = r"[0-9]{1,9}(\.[0-9]{1,6})?"  # nine digits, 31 years: below 2**53 in microseconds, so exact as a float


def read(stream: BinaryIO, context: Context) -> Batches:
    """Yield request_id, requested_at, model_name, prompt_tokens, completion_tokens and, of eight columns, latency_ms.

    Raises LoadError when the file is of another format, ValueError without an epoch.
    """
    if context.epoch is None:
        raise ValueError("BurstGPT times need an epoch")
    columns = [
        Column("requested_at", _seconds_since(context.epoch), header="Timestamp"),
        Column("model_name", TEXT, is_required=False, header="Model"),
        Column("prompt_tokens", TOKENS, header="Request tokens"),
        Column("completion_tokens", TOKENS, header="Response tokens"),
        Column("latency_ms", _ELAPSED, is_required=False, header="Elapsed time"),
    ]
    seen = Occurrences()
    for chunk in read_chunks(stream, EIGHT, SIX):
        batch = typed_chunk(chunk, [column for column in columns if column.label in chunk.header])
        ids = request_ids(context.row_id_prefix, map(seen.key, batch.texts))
        yield replace(batch, rows=batch.rows.add_column(0, "request_id", ids))


def _seconds_since(epoch: datetime) -> Kind:
    """Return the kind of seconds after `epoch`, up to the end of the last year allowed."""
    start, end = (round(instant.timestamp() * 1e6) for instant in (epoch, datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)))

    def convert(texts: pa.StringArray) -> pa.Array:
        microseconds = pc.add(_scaled(texts, 1e6), start)
        return pc.if_else(pc.less(microseconds, end), microseconds, None).cast(TIMESTAMP_TYPE)

    return Kind(f"seconds since the epoch, up to the year {LAST_YEAR}", _SECONDS, convert, _SECONDS)


def _scaled(texts: pa.StringArray, factor: float) -> pa.Array:
    """Return decimal numbers times `factor`, rounded to whole numbers."""
    return pc.round(pc.multiply(texts.cast(pa.float64()), factor)).cast(pa.int64())


def _milliseconds(texts: pa.StringArray) -> pa.Array:
    milliseconds = _scaled(texts, 1e3)
    return pc.if_else(pc.less_equal(milliseconds, INT_MAX), milliseconds, None).cast(pa.int32())


_ELAPSED = Kind("seconds, fewer than 2,147,483.648", _SECONDS, _milliseconds, _SECONDS)

ADAPTER = Adapter(
    read,
    (
        "time 0 is the epoch given",
        "timestamps count real seconds in UTC",
        "models are those the file names",
    ),
)
