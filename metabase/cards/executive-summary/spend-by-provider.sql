select
    provider,
    sum(cost_usd) as cost_usd
from public_marts.usage_daily
where day_on > (select max(day_on) from public_marts.usage_daily) - {{days}}
group by provider
order by cost_usd desc nulls last
