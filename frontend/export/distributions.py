"""What the generator meant to draw over what the warehouse holds, column by column."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any, LiteralString

import numpy as np
import psycopg
from psycopg import sql

Json = dict[str, Any]

_GENERATOR = Path(__file__).resolve().parents[2] / "generator" / "generate_data.py"
_SOURCE = "synthetic"  # the one source that somebody meant to draw
_BINS = 64
_SUCCEEDED_ONLY = ("completion_tokens",)
_VALUES: dict[str, LiteralString] = {
    "latency_ms": "latency_ms",
    "prompt_tokens": "prompt_tokens",
    "completion_tokens": "completion_tokens",
    "requested_at": "extract(hour from requested_at at time zone 'UTC') * 2"
    " + floor(extract(minute from requested_at at time zone 'UTC') / 30)",
    "status_code": "status_code",
    "is_flagged": "is_flagged::int",
    "user_id": "array_position(array['free', 'starter', 'pro', 'enterprise'], u.billing_tier)",
}
_COUNTS = sql.SQL("""
select {value}, count(*)
from public_star.fct_api_requests as f
inner join public_star.dim_users as u on u.user_key = f.user_key
where f.source = %(source)s and (%(status)s::int is null or f.status_code = %(status)s)
group by 1
""")
_WEEKEND: LiteralString = """
select avg(requests) filter (where day_of_week >= 6) / avg(requests) filter (where day_of_week < 6)
from (
    select extract(isodow from requested_at at time zone 'UTC') as day_of_week, count(*) as requests
    from public_star.fct_api_requests
    where source = %(source)s
    group by (requested_at at time zone 'UTC')::date, 1
) as days
"""


def distributions(connection: psycopg.Connection) -> Json:
    """Return {source, columns: [...]}; each column has its words, bins, curve and checks of expected against found.

    A bin has low, high, count and expected (count); categories have low = high. The curve is in counts per bin width
    on the axis of the chart (natural logarithm where `scale` is 'log'). Real logs were drawn from nothing: without
    generated rows there is no source, and a column that holds no value is left out.
    """
    told = [(column, _counts(connection, _SOURCE, column["column"])) for column in _descriptions()]
    columns = [_column(connection, _SOURCE, column, values) for column, values in told if values]
    return {"source": _SOURCE if columns else None, "columns": columns}


def _descriptions() -> list[Json]:
    """Return what the generator says of each column; it is met at its command line, not imported."""
    command = [sys.executable, str(_GENERATOR), "--describe"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    columns: list[Json] = json.loads(result.stdout)
    return columns


def _column(connection: psycopg.Connection, source: str, told: Json, values: dict[float, int]) -> Json:
    total = sum(values.values())
    if told["scale"] == "log":
        edges = _log_edges(values, told)
        bins = _binned(values, edges, told, total)
        checks = _log_checks(values, told, total)
    elif told["scale"] == "category":
        bins = _categories(values, told, total)
        checks = [
            _check(f"share of {_plain(b['low'])}", b["expected"] / total, b["count"] / total, "ratio") for b in bins
        ]
    else:
        halves = [(value / 2, (value + 1) / 2) for value in range(48)]
        bins = [_bin(low, high, values.get(low * 2, 0), total * _mass(told, low, high)) for low, high in halves]
        checks = [_between(bins, total, 12, 13), _between(bins, total, 2, 5), _weekend(connection, source, told)]
    return {
        "column": told["column"],
        "unit": told["unit"],
        "scale": told["scale"],
        "family": told["family"],
        "parameters": told["parameters"],
        "reason": told["reason"],
        "values": total,
        "bins": bins,
        "curve": _curve(told, total),
        "checks": checks,
    }


def _counts(connection: psycopg.Connection, source: str, column: str) -> dict[float, int]:
    only = column in _SUCCEEDED_ONLY
    query = _COUNTS.format(value=sql.SQL(_VALUES[column]))
    rows = connection.execute(query, {"source": source, "status": 200 if only else None})
    return {float(value): int(count) for value, count in rows if value is not None}


def _log_edges(values: dict[float, int], told: Json) -> list[int]:
    low = max(1, min(int(min(values)), int(told["x"][0])))
    high = max(max(values), low) + 1  # one bin where every value is 0, which has no place on this axis
    return sorted({round(edge) for edge in np.geomspace(low, high, _BINS + 1)})


def _binned(values: dict[float, int], edges: list[int], told: Json, total: int) -> list[Json]:
    found, _ = np.histogram(list(values), bins=edges, weights=list(values.values()))
    pairs = zip(edges[:-1], edges[1:], found, strict=True)
    return [_bin(low, high, int(count), total * _mass(told, low, high)) for low, high, count in pairs]


def _mass(told: Json, low: float, high: float) -> float:
    # Stored numbers are cut to whole ones: the bin [a, b) of stored values holds what was drawn in (a, b].
    below, above = np.interp([low, high], told["x"], told["cdf"], left=0.0, right=1.0)
    return float(above - below)


def _categories(values: dict[float, int], told: Json, total: int) -> list[Json]:
    probabilities = dict(zip(told["x"], told["density"], strict=True))
    known = sorted(set(values) | set(probabilities))
    return [_bin(value, value, values.get(value, 0), total * probabilities.get(value, 0.0)) for value in known]


def _bin(low: float, high: float, count: int, expected: float) -> Json:
    return {"low": low, "high": high, "count": count, "expected": round(expected, 3)}


def _curve(told: Json, total: int) -> list[Json]:
    if told["scale"] == "category":
        return []
    weights = told["x"] if told["scale"] == "log" else [1.0] * len(told["x"])
    return [
        {"x": round(x, 4), "y": round(total * density * weight, 4)}
        for x, density, weight in zip(told["x"], told["density"], weights, strict=True)
    ]


def _log_checks(values: dict[float, int], told: Json, total: int) -> list[Json]:
    ordered = sorted(values)
    steps = np.cumsum([values[value] for value in ordered])

    def found(share: float) -> float:
        return ordered[int(np.searchsorted(steps, share * total))]

    shares = {"median": "0.5", "90th percentile": "0.9", "99th percentile": "0.99"}
    return [_check(what, math.floor(told["quantiles"][p]), found(float(p)), "value") for what, p in shares.items()]


def _between(bins: list[Json], total: int, first: int, last: int) -> Json:
    inside = [item for item in bins if first <= item["low"] < last]
    expected, found = (sum(item[key] for item in inside) / total for key in ("expected", "count"))
    return _check(f"between {first:02}:00 and {last:02}:00", expected, found, "ratio")


def _weekend(connection: psycopg.Connection, source: str, told: Json) -> Json:
    row = connection.execute(_WEEKEND, {"source": source}).fetchone()
    return _check(
        "a weekend day over a weekday",
        told["parameters"]["weekend_factor"],
        float(row[0] or 0) if row else 0.0,
        "ratio",
    )


def _check(what: str, expected: float, found: float, kind: str) -> Json:
    return {"what": what, "expected": expected, "found": found, "kind": kind}


def _plain(value: float) -> str:
    return str(int(value))
