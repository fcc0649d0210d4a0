with last_day as (
    select max(day_on) as last_on from public_marts.usage_daily
)

select
    hours.hour_of_day,
    sum(hours.requests) / cast({{days}} as numeric) as requests_per_hour
from public_marts.model_performance_hourly as hours
cross join last_day
where
    hours.day_on > last_day.last_on - {{days}}
    -- The same in terms of the index, with two days of room for any time zone.
    and hours.hour_at > cast(last_day.last_on - {{days}} - 2 as timestamp) at time zone 'UTC'
    [[and hours.provider in ({{provider}})]]
group by hours.hour_of_day
order by hours.hour_of_day
