with span as (
    select
        min(day_on) as first_on,
        max(day_on) as last_on
    from public_marts.usage_daily
)

select
    span.last_on + 1 - {{days}} * (1 + (span.last_on - usage.day_on) / {{days}}) as period_on,
    sum(usage.requests) as requests
from public_marts.usage_daily as usage
cross join span
where
    usage.day_on > span.last_on - 2 * {{days}}
    -- The period before counts only where the data covers all of it.
    and (usage.day_on > span.last_on - {{days}} or span.first_on <= span.last_on - 2 * {{days}} + 1)
group by period_on
order by period_on
