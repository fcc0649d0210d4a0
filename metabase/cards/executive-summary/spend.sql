with last_day as (
    select max(day_on) as last_on from public_marts.usage_daily
)

select
    last_day.last_on + 1 - {{days}} * (1 + (last_day.last_on - usage.day_on) / {{days}}) as period_on,
    sum(usage.cost_usd) as cost_usd
from public_marts.usage_daily as usage
cross join last_day
where usage.day_on > last_day.last_on - 2 * {{days}}
group by period_on
order by period_on
