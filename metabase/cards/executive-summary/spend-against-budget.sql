with last_day as (
    select max(day_on) as last_on from public_marts.usage_daily
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
        cast(last_on + 1 as timestamp) at time zone 'UTC' as begins_at,
        (date_trunc('month', cast(last_on + 1 as timestamp)) + interval '1 month') at time zone 'UTC' as ends_at
    from last_day
),

forecast_days as (
    select
        ahead.month_on,
        sum(points.forecast) as forecast_usd
    from forecast.points
    inner join ahead on points.starts_at >= ahead.begins_at and points.starts_at < ahead.ends_at
    where
        points.run_id = (select max(run_id) from forecast.runs)
        and points.segment_kind = 'all'
        and points.metric = 'cost_usd'
        and points.kind in ('total_24h', 'daily_total')
    group by ahead.month_on
)

select
    coalesce(months.month_on, forecast_days.month_on) as month_on,
    -- A month without any price has no spend that is known.
    case when months.month_on is null then 0 else months.cost_usd end as cost_usd,
    coalesce(forecast_days.forecast_usd, 0) as forecast_usd
from months
full outer join forecast_days on months.month_on = forecast_days.month_on
order by 1
