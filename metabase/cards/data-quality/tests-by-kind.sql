select
    coalesce(test_kind, 'other') as test_kind,
    count(*) filter (where status = 'pass') as passed,
    count(*) filter (where status in ('fail', 'error')) as failed
from ops.dbt_results
where invocation_id = (select invocation_id from ops.dbt_runs order by started_at desc limit 1)
    and resource_type = 'test'
group by 1
order by passed desc, test_kind
