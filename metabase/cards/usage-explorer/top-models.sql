select
    model_name,
    provider,
    sum(requests) as requests,
    sum(total_tokens) as total_tokens,
    sum(cost_usd) as cost_usd
from public_marts.usage_daily
where
    day_on > (select max(day_on) from public_marts.usage_daily) - {{days}}
    [[and billing_tier in ({{tier}})]]
group by model_name, provider
order by requests desc, model_name
limit 15
