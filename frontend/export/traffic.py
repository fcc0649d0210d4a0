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
    (select count(distinct company_name) from public_star.dim_users where user_id <> 0) as companies,
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
    return _rows(connection, _HEADLINE)[0] | {"sources": _rows(connection, _SOURCES)}


def hourly(connection: psycopg.Connection, source: str) -> Json:
    """Return {source, start_on, days: [[24 counts]]} with a day for each date of the source's span, UTC."""
    rows = connection.execute(_HOURS, {"source": source}).fetchall()
    first = dt.date.fromisoformat(min(day for day, _, _ in rows))
    last = dt.date.fromisoformat(max(day for day, _, _ in rows))
    days = [[0] * 24 for _ in range((last - first).days + 1)]
    for day, hour, requests in rows:
        days[(dt.date.fromisoformat(day) - first).days][hour] = requests
    return {"source": source, "start_on": first.isoformat(), "days": days}


def monthly_cost(connection: psycopg.Connection, source: str) -> list[Json]:
    """Return {model_name, provider, month, cost_usd} for each model and month, in order of month."""
    return _rows(connection, _MODELS, source=source)


def table_bytes(connection: psycopg.Connection) -> dict[str, int]:
    """Return the size of each table of the dbt schemas, indexes and partitions included."""
    return {name: int(size) for name, size in connection.execute(_RELATION_ROWS).fetchall()}


def scan_rows_per_s(connection: psycopg.Connection, rows: int) -> float:
    """Time a sum over the fact table on one core, best of three, and return rows per second."""
    connection.execute("set local max_parallel_workers_per_gather = 0")
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        connection.execute("select sum(total_tokens) from public_star.fct_api_requests").fetchone()
        seconds.append(time.perf_counter() - begin)
    return rows / min(seconds)


def server_version(connection: psycopg.Connection) -> str:
    """Return the server's version as it writes it, such as 18.4."""
    return str(
        _rows(connection, "select split_part(current_setting('server_version'), ' ', 1) as version")[0]["version"]
    )


def _rows(connection: psycopg.Connection, query: LiteralString, **parameters: Any) -> list[Json]:
    cursor = connection.execute(query, parameters)
    names = [column.name for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor]
