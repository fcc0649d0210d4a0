"""LiteLLM proxy's spend log: the table LiteLLM_SpendLogs exported as CSV, its columns in any order.

Prompt tokens include those read from and written to a provider's cache, completion tokens those of reasoning; the parts
are in the metadata. Source: schema.prisma and SpendLogsMetadata in BerriAI/litellm on GitHub.
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
_SPEND = matching(r"[0-9]{1,6}(?:\.[0-9]{1,30})?(?:[eE]-[0-9]{1,2})?", "an amount from 0 to 999,999 US dollars")
COLUMNS = (
    Column("request_id", TEXT),
    Column("requested_at", TIMESTAMP, header="startTime"),
    Column("ended_at", TIMESTAMP, is_required=False, header="endTime"),
    Column("prompt_tokens", TOKENS),
    Column("completion_tokens", TOKENS),
    Column("latency_ms", MILLISECONDS, is_required=False, header="request_duration_ms"),
    Column("status", _STATUS, is_required=False),
    Column("cost_reported_usd", _SPEND, is_required=False, header="spend"),
    *(
        Column(name, TEXT, is_required=False)
        for name in ("model", "custom_llm_provider", "user", "end_user", "team_id", "metadata")
    ),
)
FAILED_WITHOUT_CODE = 500
DEPTH_LIMIT = 100


def read(stream: BinaryIO, context: Context) -> Batches:
    """Yield columns of raw_staging.api_requests and the names of models, users and teams, in file order.

    request_id, requested_at, model_name, provider, user_name, team_name, prompt_tokens, completion_tokens,
    cache_read_tokens, cache_write_tokens, reasoning_tokens, latency_ms, status_code and cost_reported_usd (US dollars).
    Raises LoadError when the file is of another format.
    """
    for chunk in read_chunks(stream, REQUIRED, is_open=True):
        batch = typed_chunk(chunk, [column for column in COLUMNS if column.label in chunk.header])
        rows = batch.rows
        details = [_parsed(text) for text in _texts(rows, "metadata")]
        prompts, completions = rows.column("prompt_tokens"), rows.column("completion_tokens")
        cached = list(map(_cached, details, prompts.to_pylist()))
        columns = {
            "request_id": request_ids(f"{context.source}:", rows.column("request_id").to_pylist()),
            "requested_at": rows.column("requested_at"),
            "model_name": pa.array(_texts(rows, "model"), pa.string()),
            "provider": pa.array(_texts(rows, "custom_llm_provider"), pa.string()),
            "user_name": pa.array(map(_user, details, _texts(rows, "user"), _texts(rows, "end_user")), pa.string()),
            "team_name": pa.array(map(_team, details, _texts(rows, "team_id")), pa.string()),
            "prompt_tokens": prompts,
            "completion_tokens": completions,
            "cache_read_tokens": pa.array([read for read, _ in cached], pa.int64()),
            "cache_write_tokens": pa.array([written for _, written in cached], pa.int64()),
            "reasoning_tokens": pa.array(map(_reasoning, details, completions.to_pylist()), pa.int64()),
            "latency_ms": _latencies(rows),
            "status_code": pa.array(map(_status_code, _texts(rows, "status"), details), pa.int16()),
            "cost_reported_usd": pa.array(_texts(rows, "cost_reported_usd"), pa.string()),
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


def _user(details: dict[str, Any], user: str | None, end_user: str | None) -> str | None:
    """Return who made a request: the proxy's user, else the customer the caller named, else the key by its alias."""
    alias = details.get("user_api_key_alias")
    known = (user, details.get("user_api_key_user_id"), end_user, f"key {alias}" if alias else None)
    return next((name for name in known if isinstance(name, str) and name.strip()), None)


def _team(details: dict[str, Any], team_id: str | None) -> str | None:
    """Return the team's alias, else its id."""
    known = (details.get("user_api_key_team_alias"), team_id, details.get("user_api_key_team_id"))
    return next((name for name in known if isinstance(name, str) and name.strip()), None)


def _cached(details: dict[str, Any], prompt_tokens: int) -> tuple[int | None, int | None]:
    """Return the prompt tokens read from and written to a cache; NULL where unknown, or more than there were in all."""
    usage = details.get("additional_usage_values")
    names = ("cache_read_input_tokens", "cache_creation_input_tokens")
    read, written = (_count(usage, name) for name in names)
    return (read, written) if (read or 0) + (written or 0) <= prompt_tokens else (None, None)


def _reasoning(details: dict[str, Any], completion_tokens: int) -> int | None:
    """Return the completion tokens spent on reasoning; NULL where unknown, or more than there were in all."""
    usage = details.get("usage_object")
    tokens = _count(usage.get("completion_tokens_details") if isinstance(usage, dict) else None, "reasoning_tokens")
    return tokens if tokens is not None and tokens <= completion_tokens else None


def _count(values: object, name: str) -> int | None:
    found = values.get(name) if isinstance(values, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def _status_code(status: str | None, details: dict[str, Any]) -> int | None:
    """Return 200, the failure's own code, or 500 where it has none; NULL where neither column tells."""
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
        "the cost of a request is its spend as logged, 0 included",
        "a request is its user's, else its end user's, else its key's by alias; its team goes by alias, else by id",
        "cached and reasoning tokens are part of the totals, and unknown where they are more",
    ),
)
