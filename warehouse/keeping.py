"""How long ops keeps what ran: by age and by number, applied whenever something is recorded.

What still counts stays however old it is: a run without an end, which a later one has to close, and the newest
freshness of each table.
"""

from __future__ import annotations

import psycopg

KEPT_DAYS = 400
"""A year, and a month to compare it with."""
KEPT_EVENTS = 20_000
KEPT_DBT_RUNS = 300


def forget_old_events(connection: psycopg.Connection) -> None:
    """Remove old events; the start of a run goes with its end."""
    connection.execute(
        "with bound as (select coalesce(("
        "  select event_id from ops.pipeline_events order by event_id desc offset %s limit 1), 0) as event_id),"
        " old as (select e.* from ops.pipeline_events as e cross join bound"
        "  where e.event_id <= bound.event_id or e.occurred_at < now() - %s * interval '1 day')"
        " delete from ops.pipeline_events as e using old"
        " where e.event_id = old.event_id and case e.event_name"
        "  when 'data_freshness' then exists (select from ops.pipeline_events as newer"
        "   where newer.table_name = e.table_name and newer.event_id > e.event_id)"
        "  else exists (select from old as ended"
        "   where ended.run_id = e.run_id and ended.event_name = 'pipeline_run_end') end",
        [KEPT_EVENTS, KEPT_DAYS],
    )


def forget_old_dbt_runs(connection: psycopg.Connection) -> None:
    """Remove old dbt runs and, with them, their results."""
    connection.execute(
        "delete from ops.dbt_runs where started_at < greatest(now() - %s * interval '1 day', ("
        "  select started_at from ops.dbt_runs order by started_at desc offset %s limit 1))",
        [KEPT_DAYS, KEPT_DBT_RUNS - 1],
    )
