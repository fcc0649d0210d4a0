"""LiteLLM proxy's spend log: the table LiteLLM_SpendLogs exported as CSV, its columns in any order.

Prompt tokens include those read from a cache, completion tokens those of reasoning. Models, users and endpoints are
names of the proxy's own and stay NULL. Source: schema.prisma and SpendLogsMetadata in BerriAI/litellm on GitHub.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from loader.columns import typed_chunk
from loader.json_depth import nesting_depth
from loader.kinds import INT_MAX, MILLISECONDS, TEXT, TIMESTAMP, TOKENS, Column, matching
from loader.records import read_chunks
from loader.request_ids import request_ids
from loader.rows import Batches
from loader.sources.adapter import Adapter, Context

REQUIRED = ("request_id", "startTime", "endTime", "prompt_tokens", "completion_tokens")
_STATUS = matching("success|failure", "success or failure")
COLUMNS = (
    Column("request_id", TEXT),
    Column("requested_at", TIMESTAMP, header="startTime"),
    Column("ended_at", TIMESTAMP, is_required=False, header="endTime"),
    Column("prompt_tokens", TOKENS),
    Column("completion_tokens", TOKENS),
    Column("latency_ms", MILLISECONDS, is_required=False, header="request_duration_ms"),
    Column("status", _STATUS, is_required=False),
    Column("metadata", TEXT, is_required=False),
)
FAILED_WITHOUT_CODE = 500
DEPTH_LIMIT = 100


def read(stream: BinaryIO, context: Context) -> Batches:
    """Yield request_id, requested_at, prompt_tokens, completion_tokens, latency_ms and status_code in file order.

    Raises LoadError when the file is of another format.
    """
    for chunk in read_chunks(stream, REQUIRED, is_open=True):
        batch = typed_chunk(chunk, [column for column in COLUMNS if column.label in chunk.header])
        rows = batch.rows
        columns = {
            "request_id": request_ids(f"{context.source}:", rows.column("request_id").to_pylist()),
            "requested_at": rows.column("requested_at"),
            "prompt_tokens": rows.column("prompt_tokens"),
            "completion_tokens": rows.column("completion_tokens"),
            "latency_ms": _latencies(rows),
            "status_code": pa.array(map(_status_code, _texts(rows, "status"), _texts(rows, "metadata")), pa.int16()),
        }
        yield replace(batch, rows=pa.record_batch(columns))


def _latencies(rows: pa.RecordBatch) -> pa.Array:
    """Return the duration reported, else end less start, NULL where that is no duration."""
    elapsed = pc.subtract(rows.column("ended_at").cast(pa.int64()), rows.column("requested_at").cast(pa.int64()))
    milliseconds = pc.divide(elapsed, 1000)
    inside = pc.and_(pc.greater_equal(milliseconds, 0), pc.less_equal(milliseconds, INT_MAX))
    measured = pc.if_else(inside, milliseconds, None).cast(pa.int32())
    return pc.coalesce(rows.column("latency_ms"), measured) if "latency_ms" in rows.schema.names else measured


def _texts(rows: pa.RecordBatch, name: str) -> Sequence[str | None]:
    return rows.column(name).to_pylist() if name in rows.schema.names else [None] * rows.num_rows


def _status_code(status: str | None, metadata: str | None) -> int | None:
    """Return 200, the failure's own code, or 500 where it has none; NULL where neither column tells."""
    details = _parsed(metadata)
    status = status or details.get("status")
    if status == "success":
        return 200
    if status != "failure":
        return None
    error = details.get("error_information")
    code = error.get("error_code") if isinstance(error, dict) else None
    is_http = isinstance(code, str | int) and re.fullmatch("[45][0-9]{2}", str(code)) is not None
    return int(code) if is_http and code is not None else FAILED_WITHOUT_CODE


def _parsed(metadata: str | None) -> dict[str, Any]:
    """Return the JSON object of `metadata`; empty where it is none, or nested so deep that no gateway writes it.

    A client of the gateway may choose part of it, and the parser's own limit depends on who calls it.
    """
    if metadata is None or nesting_depth(metadata) > DEPTH_LIMIT:
        return {}
    try:
        details = json.loads(metadata)
    except ValueError:
        return {}
    return details if isinstance(details, dict) else {}


ADAPTER = Adapter(
    read,
    (
        "timestamps without a zone are UTC, as the proxy has written them since 2025",
        "digits beyond the microsecond are cut off",
        f"a failure without a code of its own is status {FAILED_WITHOUT_CODE}",
    ),
)
