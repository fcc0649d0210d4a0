"""Queries on the modelled warehouse, run as portfolio_reader inside one snapshot."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any, LiteralString

import psycopg

Json = dict[str, Any]

FACT: LiteralString = "public_star.fct_api_requests"

_HEADLINE: LiteralString = """
select
    count(*) as requests,
    coalesce(sum(total_tokens), 0)::bigint as tokens,
    coalesce(sum(cost_usd), 0)::float8 as cost_usd,
    count(*) filter (where cost_usd is null) as unpriced_requests,
    min(requested_at)::date::text as first_on,
    max(requested_at)::date::text as last_on,
    (select count(*) from public_star.dim_users where user_id <> 0) as users,
    (
        select count(*) from (
            select company_name from public_star.dim_users where user_id > 0
            union
            select team_name from public_star.dim_teams where team_id < 0
        ) as named
    ) as companies,
    (select count(*) from public_star.dim_models where model_id <> 0) as models
from public_star.fct_api_requests
"""
_SOURCES: LiteralString = """
select source, count(*) as requests, min(requested_at)::date::text as first_on, max(requested_at)::date::text as last_on
from public_star.fct_api_requests
group by source
order by requests desc, source
"""
_HOURS: LiteralString = """
select
    (requested_at at time zone 'UTC')::date::text as day,
    extract(hour from requested_at at time zone 'UTC')::int as hour,
    count(*) as requests
from public_star.fct_api_requests
where source = %(source)s
group by 1, 2
"""
_MODELS: LiteralString = """
select m.model_name, m.provider, date_trunc('month', f.requested_at at time zone 'UTC')::date::text as month,
    sum(f.cost_usd)::float8 as cost_usd
from public_star.fct_api_requests as f
inner join public_star.dim_models as m on m.model_key = f.model_key
where f.source = %(source)s
group by 1, 2, 3
order by 3, 1
"""
_SCAN: LiteralString = """
select count(*), sum(total_tokens)
from public_star.fct_api_requests
where requested_at >= %(since)s
"""
_TRANSFORM: LiteralString = """
select count(*), max(md5(r.source || '-' || r.request_id::text)), count(u.user_key), count(m.model_key),
    count(e.endpoint_key), sum(r.prompt_tokens + r.completion_tokens)
from public_staging.stg_api_requests as r
left join public_star.dim_users as u on u.user_id = r.user_id
left join public_star.dim_models as m on m.model_id = r.model_id
left join public_star.dim_endpoints as e on e.endpoint_id = r.endpoint_id
where r.requested_at >= %(since)s
"""
_RELATION_ROWS: LiteralString = """
select n.nspname || '.' || c.relname, sum(pg_total_relation_size(coalesce(p.relid, c.oid)))::bigint
from pg_class as c
inner join pg_namespace as n on n.oid = c.relnamespace
left join lateral pg_partition_tree(c.oid) as p on true
where n.nspname like 'public\\_%' and c.relkind in ('r', 'p') and not c.relispartition
group by 1
"""


def headline(connection: psycopg.Connection) -> Json:
    """Return the warehouse in figures: requests, tokens, cost_usd, users, companies, models, first_on, last_on."""
    return rows(connection, _HEADLINE)[0] | {"sources": rows(connection, _SOURCES)}


def hourly(connection: psycopg.Connection, source: str | None) -> Json:
    """Return {source, start_on, days: [[24 counts]]} with a day for each date of the source's span, UTC.

    Without a source there is no start and no day.
    """
    if source is None:
        return {"source": None, "start_on": None, "days": []}
    counted = connection.execute(_HOURS, {"source": source}).fetchall()
    first = dt.date.fromisoformat(min(day for day, _, _ in counted))
    last = dt.date.fromisoformat(max(day for day, _, _ in counted))
    days = [[0] * 24 for _ in range((last - first).days + 1)]
    for day, hour, requests in counted:
        days[(dt.date.fromisoformat(day) - first).days][hour] = requests
    return {"source": source, "start_on": first.isoformat(), "days": days}


def monthly_cost(connection: psycopg.Connection, source: str | None) -> list[Json]:
    """Return {model_name, provider, month, cost_usd} for each model and month, in order of month."""
    return rows(connection, _MODELS, source=source)


def table_bytes(connection: psycopg.Connection) -> dict[str, int]:
    """Return the size of each table of the dbt schemas, indexes and partitions included."""
    return {name: int(size) for name, size in connection.execute(_RELATION_ROWS).fetchall()}


def speeds(connection: psycopg.Connection, last_on: str) -> Json:
    """Time the latest month on one core, best of three: {scan_rows_per_s, transform_rows_per_s}.

    The scan sums a column of the fact; the transformation repeats the fact's joins and keys from staging.
    """
    connection.execute("set local max_parallel_workers_per_gather = 0")
    since = dt.date.fromisoformat(last_on) - dt.timedelta(days=31)
    return {
        "scan_rows_per_s": _rows_per_s(connection, _SCAN, since),
        "transform_rows_per_s": _rows_per_s(connection, _TRANSFORM, since),
    }


def _rows_per_s(connection: psycopg.Connection, query: LiteralString, since: dt.date) -> float:
    best = 0.0
    for _ in range(3):
        begin = time.perf_counter()
        row = connection.execute(query, {"since": since}).fetchone()
        best = max(best, (row[0] if row else 0) / (time.perf_counter() - begin))
    return best


def rows(connection: psycopg.Connection, query: LiteralString, **parameters: Any) -> list[Json]:
    """Return the rows of a query as dicts, moments as ISO text."""
    cursor = connection.execute(query, parameters)
    names = [column.name for column in cursor.description or []]
    return [dict(zip(names, map(_plain, row), strict=True)) for row in cursor]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.datetime) else value
