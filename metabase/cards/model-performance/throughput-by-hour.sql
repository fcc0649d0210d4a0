with span as (
    select
        min(day_on) as first_on,
        max(day_on) as last_on
    from public_marts.usage_daily
)

select
    hours.hour_of_day,
    -- Per day that the data cover, which may be fewer than asked for.
    sum(hours.requests) / cast(least({{days}}, span.last_on - span.first_on + 1) as numeric) as requests_per_hour
from public_marts.model_performance_hourly as hours
cross join span
where
    hours.day_on > span.last_on - {{days}}
    -- The same in terms of the index, with two days of room for any time zone.
    and hours.hour_at > cast(span.last_on - {{days}} - 2 as timestamp) at time zone 'UTC'
    [[and hours.provider in ({{provider}})]]
group by hours.hour_of_day, span.first_on, span.last_on
order by hours.hour_of_day
