"""What is in the warehouse, as text: rows per table, tests passed, top models."""

from __future__ import annotations

from typing import LiteralString

import psycopg
from psycopg import sql

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
_LAST_TESTS: LiteralString = """
select r.finished_at, count(*) filter (where t.status = 'pass'), count(*) filter (where t.status <> 'pass')
from ops.dbt_runs as r
inner join ops.dbt_results as t on t.invocation_id = r.invocation_id and t.resource_type = 'test'
group by r.invocation_id
order by r.finished_at desc
limit 1
"""
# A build that stopped before it ran anything has events and no results; one that ran began before its results.
_LAST_BUILD_WITHOUT_RESULTS: LiteralString = """
select max(e.occurred_at)
from ops.pipeline_events as s
inner join ops.pipeline_events as e on e.run_id = s.run_id and e.event_name = 'pipeline_run_end'
where s.event_name = 'pipeline_run_start' and s.pipeline_id = 'dbt-build'
  and s.occurred_at > %s and e.status <> 'done'
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
    lines += ["", f"Tests    {tests_text(connection)}"]
    if any(name == "public_star.fct_api_requests" for name, _ in counts):
        lines += ["", f"{'Top models':<38}{'requests':>12}{'tokens':>20}{'cost':>15}"]
        for model, provider, requests, tokens, cost in connection.execute(_TOP_MODELS):
            cost_text = "unpriced" if cost is None else f"${cost:,.2f}"
            lines.append(f"  {f'{model} ({provider})':<36}{requests:>12,}{tokens or 0:>20,}{cost_text:>15}")
    return "\n".join(lines)


def count_rows(connection: psycopg.Connection, schema: str, table: str) -> int:
    """Return the exact number of rows of one table."""
    row = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(schema, table))).fetchone()
    return int(row[0]) if row else 0


def tests_text(connection: psycopg.Connection) -> str:
    """Return '143 passed, 0 not passed (dbt run of ...)' as recorded, that there was none, or a failure since."""
    row = connection.execute("select to_regclass('ops.dbt_results') is not null").fetchone()
    last = connection.execute(_LAST_TESTS).fetchone() if row == (True,) else None
    if last is None:
        return "no dbt run yet: run `make dbt-build`"
    finished_at, passed, not_passed = last
    text = f"{passed} passed, {not_passed} not passed (dbt run of {finished_at:%Y-%m-%d %H:%M}Z)"
    failed = connection.execute(_LAST_BUILD_WITHOUT_RESULTS, [finished_at]).fetchone()
    if failed and failed[0] is not None:
        text += f"; a build of {failed[0]:%Y-%m-%d %H:%M}Z failed and left no test results"
    return text


def _tables(connection: psycopg.Connection) -> list[tuple[str, str]]:
    return [(schema, table) for schema, table in connection.execute(_TABLES)]
