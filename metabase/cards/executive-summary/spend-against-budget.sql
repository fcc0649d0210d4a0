with last_day as (
    select max(day_on) as last_on from public_marts.usage_daily
),

pace as (
    select sum(cost_usd) / 28 as daily_usd
    from public_marts.usage_daily
    where day_on > (select last_on from last_day) - 28
),

months as (
    select
        month_on,
        sum(cost_usd) as cost_usd
    from public_marts.company_usage_monthly
    group by month_on
    order by month_on desc
    limit 12
),

-- The month that the first day without data belongs to: what is left of it, or all of the next one.
ahead as (
    select
        cast(date_trunc('month', last_on + 1) as date) as month_on,
        cast(date_trunc('month', last_on + 1) + interval '1 month' as date) - (last_on + 1) as days_left
    from last_day
)

select
    coalesce(months.month_on, ahead.month_on) as month_on,
    coalesce(months.cost_usd, 0) as cost_usd,
    coalesce(ahead.days_left * pace.daily_usd, 0) as projected_usd
from months
full outer join ahead on months.month_on = ahead.month_on
cross join pace
order by 1
