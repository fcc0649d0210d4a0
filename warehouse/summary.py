"""What is in the warehouse, as text: rows per table, tests passed, top models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

_RUN_RESULTS = Path(__file__).resolve().parent.parent / "dbt_project" / "target" / "run_results.json"
_TABLES: LiteralString = """
select schemaname, relname
from (
    select n.nspname as schemaname, c.relname
    from pg_class as c
    inner join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname in ('raw_staging', 'public_star', 'public_snowflake', 'public_marts')
      and c.relkind in ('r', 'p') and not c.relispartition
) as tables
order by schemaname = 'raw_staging' desc, schemaname = 'public_star' desc, schemaname, relname
"""
_TOP_MODELS: LiteralString = """
select
    m.model_name,
    m.provider,
    count(*) as requests,
    sum(f.total_tokens) as tokens,
    sum(f.cost_usd) as cost_usd
from public_star.fct_api_requests as f
inner join public_star.dim_models as m on m.model_key = f.model_key
group by m.model_name, m.provider
order by tokens desc nulls last
limit 5
"""


def summary_text(connection: psycopg.Connection) -> str:
    """Return the summary shown after a pipeline run; says what to run where a layer is not there yet."""
    counts = [(f"{schema}.{table}", count_rows(connection, schema, table)) for schema, table in _tables(connection)]
    if not counts:
        return "The warehouse is empty: run `make pipeline`."
    lines = ["Rows", *(f"  {name:<44}{count:>12,}" for name, count in counts)]
    lines += ["", f"Tests    {tests_text(_RUN_RESULTS)}"]
    if any(name == "public_star.fct_api_requests" for name, _ in counts):
        lines += ["", f"{'Top models':<38}{'requests':>10}{'tokens':>17}{'cost':>15}"]
        for model, provider, requests, tokens, cost in connection.execute(_TOP_MODELS):
            cost_text = "unpriced" if cost is None else f"${cost:,.2f}"
            lines.append(f"  {f'{model} ({provider})':<36}{requests:>10,}{tokens or 0:>17,}{cost_text:>15}")
    return "\n".join(lines)


def count_rows(connection: psycopg.Connection, schema: str, table: str) -> int:
    """Return the exact number of rows of one table."""
    row = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(schema, table))).fetchone()
    return int(row[0]) if row else 0


def tests_text(path: Path) -> str:
    """Return '143 passed, 0 failed (last dbt run)' from dbt's run_results.json, or that there was no run."""
    try:
        results: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["results"]
    except (OSError, ValueError, KeyError):
        return "no dbt run yet: run `make dbt-build`"
    statuses = [result["status"] for result in results if result["unique_id"].startswith("test.")]
    passed = statuses.count("pass")
    return f"{passed} passed, {len(statuses) - passed} not passed (last dbt run)"


def _tables(connection: psycopg.Connection) -> list[tuple[str, str]]:
    return [(schema, table) for schema, table in connection.execute(_TABLES)]
