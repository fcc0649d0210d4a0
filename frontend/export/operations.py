"""Queries on the `ops` schema: what ran, how long it took, and whether rows got lost on the way."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg

from frontend.export.traffic import rows

Json = dict[str, Any]

_RUNS: LiteralString = """
select
    runs.started_at,
    runs.elapsed_sec::float8 as seconds,
    count(*) filter (where results.resource_type in ('test', 'unit_test') and results.status = 'pass') as passed,
    count(*) filter (where results.status in ('fail', 'error', 'runtime error')) as failed
from (select * from ops.dbt_runs order by started_at desc limit 60) as runs
left join ops.dbt_results as results on results.invocation_id = runs.invocation_id
group by runs.invocation_id, runs.started_at, runs.elapsed_sec
order by runs.started_at
"""
_EVENTS: LiteralString = """
select pipeline_id, run_id::text, occurred_at as ended_at, status, duration_sec::float8 as seconds
from ops.pipeline_events
where event_name = 'pipeline_run_end'
order by occurred_at desc, event_id desc
limit 20
"""
_FRESHNESS: LiteralString = """
select distinct on (table_name)
    table_name,
    occurred_at as looked_at,
    last_updated as updated_at,
    extract(epoch from occurred_at - last_updated)::float8 / 3600 as age_hours,
    expected_freshness_hours::float8 as expected_hours
from ops.pipeline_events
where event_name = 'data_freshness'
order by table_name, occurred_at desc
"""
_RECONCILIATION: LiteralString = """
select source, file_name, rows_read, rows_rejected, rows_loaded, rows_in_staging, rows_in_fact, is_reconciled, loaded_at
from ops.stage_reconciliation
order by loaded_at desc
limit 30
"""


def operations(connection: psycopg.Connection) -> Json:
    """Return {runs, events, freshness, reconciliation}; a list is empty where nothing was recorded."""
    queries = {"runs": _RUNS, "events": _EVENTS, "freshness": _FRESHNESS}
    found = {name: rows(connection, query) for name, query in queries.items()}
    is_reconciled = rows(connection, "select to_regclass('ops.stage_reconciliation') is not null as found")[0]["found"]
    return found | {"reconciliation": rows(connection, _RECONCILIATION) if is_reconciled else []}


def quickest_build_s(connection: psycopg.Connection, otherwise: float) -> float:
    """Return the seconds of the quickest recorded dbt build, which is what a batch costs before its rows."""
    found = rows(connection, "select min(elapsed_sec)::float8 as seconds from ops.dbt_runs where command = 'build'")
    return float(found[0]["seconds"] or otherwise)
