-- Fails if a request that did not succeed has a cost, unless its log says so.
select
    source,
    status_code,
    count(*) as failed_requests,
    sum(cost_usd) as cost_usd
from {{ tested_rows(ref('fct_api_requests')) }}
where
    status_code <> 200
    and cost_usd <> 0
    and cost_usd is distinct from round(cost_reported_usd, 6)
group by source, status_code
