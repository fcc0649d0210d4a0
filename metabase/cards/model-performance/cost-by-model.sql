select
    model_name,
    1000 * sum(cost_usd) / nullif(sum(requests) - sum(unpriced_requests), 0) as cost_per_1000_requests_usd
from public_marts.usage_daily
where
    day_on > (select max(day_on) from public_marts.usage_daily) - {{days}}
    [[and provider in ({{provider}})]]
group by model_name
order by cost_per_1000_requests_usd desc nulls last, model_name
