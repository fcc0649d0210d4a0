with hours as (
    select
        hour_at,
        sum(requests) as requests
    from public_marts.model_performance_hourly
    where
        hour_at >= cast((select max(day_on) from public_marts.usage_daily) - {{days}} + 1 as timestamp) at time zone 'UTC'
        [[and provider in ({{provider}})]]
    group by hour_at
)

select
    cast(extract(hour from hour_at at time zone 'UTC') as integer) as hour_of_day,
    sum(requests) / cast({{days}} as numeric) as requests_per_hour
from hours
group by hour_of_day
order by hour_of_day
