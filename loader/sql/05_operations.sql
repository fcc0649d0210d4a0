-- What ran, when and how it ended: written by the loader and `python -m warehouse run`, open to the reader.
set role portfolio_owner;

create table if not exists ops.pipeline_events (
    event_id bigint generated always as identity primary key,
    event_name text not null check (event_name in ('pipeline_run_start', 'pipeline_run_end', 'data_freshness')),
    pipeline_id text not null,
    run_id uuid not null,
    occurred_at timestamptz not null default clock_timestamp(),
    status text check (status in ('done', 'failed', 'interrupted', 'killed')),
    duration_sec numeric(12, 3) check (duration_sec >= 0),
    table_name text,
    last_updated timestamptz,
    expected_freshness_hours numeric(8, 2) check (expected_freshness_hours > 0),
    check ((event_name = 'pipeline_run_end') = (status is not null)),
    check ((event_name = 'data_freshness') = (table_name is not null)),
    check ((event_name = 'data_freshness') = (expected_freshness_hours is not null))
);
create unique index if not exists pipeline_events_run on ops.pipeline_events (run_id, event_name)
where event_name <> 'data_freshness';
create index if not exists pipeline_events_pipeline on ops.pipeline_events (pipeline_id, occurred_at);
comment on table ops.pipeline_events is
'One row per start and end of a pipeline run, and per table whose freshness a run reports';
comment on column ops.pipeline_events.status is
'Of an end: done, failed, interrupted, or killed where a later run found that this one had ended without a word';
comment on column ops.pipeline_events.duration_sec is
'Of an end: seconds since the start; of a killed run the time until it was found';
comment on column ops.pipeline_events.last_updated is
'Of a data_freshness: when the table was last written; NULL where nothing has been';

create table if not exists ops.dbt_runs (
    invocation_id uuid primary key,
    command text not null,
    dbt_version text not null,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    elapsed_sec numeric(12, 3) not null,
    node_count integer not null,
    failed_count integer not null
);
comment on table ops.dbt_runs is 'One row per recorded dbt invocation';

create table if not exists ops.dbt_results (
    invocation_id uuid not null references ops.dbt_runs on delete cascade,
    unique_id text not null,
    name text not null,
    resource_type text not null,
    test_kind text,
    model text,
    status text not null,
    seconds numeric(12, 3) not null,
    failures bigint,
    message text,
    executed_at timestamptz,
    primary key (invocation_id, unique_id)
);
comment on table ops.dbt_results is 'One row per node (model, test, seed, snapshot) of a recorded dbt invocation';
comment on column ops.dbt_results.test_kind is
'Of a data test: its generic kind (not_null, unique, ...) or singular; NULL for other nodes';
comment on column ops.dbt_results.model is 'The model that a node is or tests, by name';
comment on column ops.dbt_results.failures is 'Rows that a data test found; NULL for other nodes';

reset role;
