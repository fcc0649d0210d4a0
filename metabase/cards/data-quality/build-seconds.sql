select
    started_at as built_at,
    elapsed_sec as elapsed_s
from ops.dbt_runs
order by started_at desc
limit 30
