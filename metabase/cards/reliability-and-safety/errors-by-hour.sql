with last_day as (
    select max(day_on) as last_on from public_marts.usage_daily
)

select
    hours.hour_of_day,
    -- A share of fewer than 30 requests says nothing.
    case
        when sum(hours.requests_with_status) >= 30 then sum(hours.errors) / sum(hours.requests_with_status)
    end as error_ratio
from public_marts.model_performance_hourly as hours
cross join last_day
where
    hours.day_on > last_day.last_on - {{days}}
    -- The same in terms of the index, with two days of room for any time zone.
    and hours.hour_at > cast(last_day.last_on - {{days}} - 2 as timestamp) at time zone 'UTC'
group by hours.hour_of_day
order by hours.hour_of_day
