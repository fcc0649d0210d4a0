with runs as (
    select
        invocation_id,
        started_at
    from ops.dbt_runs
    order by started_at desc
    limit 30
)

select
    runs.started_at as built_at,
    count(*) filter (where results.status = 'pass') as passed,
    count(*) filter (where results.status in ('fail', 'error')) as failed
from runs
inner join ops.dbt_results as results on runs.invocation_id = results.invocation_id
where results.resource_type = 'test'
group by runs.started_at
order by runs.started_at
