select
    user_id,
    company_name,
    billing_tier,
    sum(requests) as requests,
    sum(total_tokens) as total_tokens,
    sum(cost_usd) as cost_usd
from public_marts.user_activity_daily
where
    user_id <> 0
    and day_on > (select max(day_on) from public_marts.user_activity_daily) - {{days}}
    [[and billing_tier in ({{tier}})]]
group by user_id, company_name, billing_tier
order by requests desc, user_id
limit 15
