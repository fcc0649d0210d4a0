-- Where `python -m forecaster batch` keeps what it forecast; here, so that readers find tables before the first run.
-- Nothing refers to a dbt model: dbt drops and recreates those, and would take a view on them along. What happened is
-- therefore copied to forecast.actuals.
set local role portfolio_owner;

create table if not exists forecast.runs (
    run_id bigint generated always as identity primary key,
    as_of timestamptz not null,
    started_at timestamptz not null,
    finished_at timestamptz not null default clock_timestamp(),
    horizon_hours integer not null check (horizon_hours > 0),
    series_count integer not null,
    fingerprint text not null
);
comment on table forecast.runs is
'One row per run of the forecaster over the warehouse. Runs are written whole or not at all';
comment on column forecast.runs.as_of is 'End of the last complete hour of data: when the forecasts start';
comment on column forecast.runs.fingerprint is 'Hash of the data and the code; a run that would repeat it is not made';

create table if not exists forecast.series (
    run_id bigint not null references forecast.runs on delete cascade,
    segment_kind text not null check (segment_kind in ('all', 'model', 'tier', 'company', 'source')),
    segment text not null,
    metric text not null check (metric in ('requests', 'tokens', 'input_tokens', 'output_tokens', 'cost_usd')),
    state text not null,
    notes text [] not null,
    is_fallback boolean not null,
    history_starts_at timestamptz not null,
    marks jsonb not null,
    daily_paths real [],
    primary key (run_id, segment_kind, segment, metric)
);
comment on table forecast.series is
'One row per run and series: a metric of all traffic, a model, a billing tier, a company or a source';
comment on column forecast.series.state is 'What the history allowed: level only, provisional, short history, calibrated';
comment on column forecast.series.marks is 'Gaps, silences and level shifts found in the history';
comment on column forecast.series.daily_paths is
'Possible futures of 24-hour totals (paths x days from as_of), for probabilities of sums; NULL except for cost';

create table if not exists forecast.points (
    run_id bigint not null,
    segment_kind text not null,
    segment text not null,
    metric text not null,
    kind text not null check (kind in ('hour', 'total_24h', 'maximum_24h', 'daily_total')),
    starts_at timestamptz not null,
    hours integer not null,
    forecast double precision not null,
    low_80 double precision not null,
    high_80 double precision not null,
    low_95 double precision not null,
    high_95 double precision not null,
    coverage_80_ratio double precision,
    coverage_95_ratio double precision,
    coverage_count integer not null,
    primary key (run_id, segment_kind, segment, metric, kind, starts_at),
    foreign key (run_id, segment_kind, segment, metric) references forecast.series on delete cascade,
    check (low_95 <= low_80 and low_80 <= forecast and forecast <= high_80 and high_80 <= high_95 and low_95 >= 0)
);
comment on table forecast.points is
'One row per run, series, kind of figure and time: an hour, a total or a maximum of 24 hours, with 80 % and 95 % ranges';
comment on column forecast.points.coverage_80_ratio is
'Share (0-1) of past 80 % ranges of this kind and lead that held what came; NULL where none has been judged';
comment on column forecast.points.coverage_count is 'How many past figures that share is of';

create table if not exists forecast.backtests (
    run_id bigint not null,
    segment_kind text not null,
    segment text not null,
    metric text not null,
    method text not null,
    label text not null,
    first_lead integer not null,
    last_lead integer not null,
    mae double precision not null,
    relative_mae double precision,
    relative_sd double precision,
    origin_count integer not null,
    primary key (run_id, segment_kind, segment, metric, method, first_lead, last_lead),
    foreign key (run_id, segment_kind, segment, metric) references forecast.series on delete cascade
);
comment on table forecast.backtests is
'One row per run, series, method and range of leads (hours ahead): its error over the past forecasts of the backtest';
comment on column forecast.backtests.relative_mae is
'Mean absolute error over that of "same hour yesterday" on the same hours; below 1 is better';
comment on column forecast.backtests.relative_sd is 'Standard deviation of it over the origins of the backtest';

create table if not exists forecast.actuals (
    segment_kind text not null,
    segment text not null,
    metric text not null,
    starts_at timestamptz not null,
    actual double precision not null,
    primary key (segment_kind, segment, metric, starts_at)
);
comment on table forecast.actuals is
'One row per series and hour that some run had forecast and that has since happened, cost as billed';

create or replace view forecast.accuracy as
select
    points.run_id,
    runs.as_of,
    points.segment_kind,
    points.segment,
    points.metric,
    points.starts_at,
    cast(extract(epoch from points.starts_at - runs.as_of) / 3600 as integer) + 1 as lead_hours,
    points.forecast,
    actuals.actual,
    actuals.actual - points.forecast as error,
    actuals.actual between points.low_80 and points.high_80 as is_inside_80,
    actuals.actual between points.low_95 and points.high_95 as is_inside_95,
    points.low_80,
    points.high_80,
    points.low_95,
    points.high_95
from forecast.points
inner join forecast.runs on points.run_id = runs.run_id
inner join forecast.actuals
    on
        points.segment_kind = actuals.segment_kind
        and points.segment = actuals.segment
        and points.metric = actuals.metric
        and points.starts_at = actuals.starts_at
where points.kind = 'hour';
comment on view forecast.accuracy is
'One row per run, series and forecast hour that has since happened: what was said, what came, and whether it was inside';
