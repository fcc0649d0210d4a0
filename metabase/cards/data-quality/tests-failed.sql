select count(*) as tests_failed
from ops.dbt_results
where invocation_id = (select invocation_id from ops.dbt_runs order by started_at desc limit 1)
    and resource_type = 'test' and status in ('fail', 'error')
