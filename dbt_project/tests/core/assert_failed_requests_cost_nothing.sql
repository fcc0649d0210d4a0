-- Fails if a request that did not succeed has a cost.
select
    source,
    status_code,
    count(*) as failed_requests,
    sum(cost_usd) as cost_usd
from {{ tested_rows(ref('fct_api_requests')) }}
where
    status_code <> 200
    and cost_usd <> 0
group by source, status_code
