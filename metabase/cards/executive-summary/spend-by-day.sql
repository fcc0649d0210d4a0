select
    day_on,
    billing_tier,
    sum(cost_usd) as cost_usd
from public_marts.usage_daily
where day_on > (select max(day_on) from public_marts.usage_daily) - {{days}}
group by day_on, billing_tier
order by day_on, billing_tier
