select
    cast(extract(hour from hour_at at time zone 'UTC') as integer) as hour_of_day,
    sum(errors) / nullif(sum(requests_with_status), 0) as error_ratio
from public_marts.model_performance_hourly
where
    hour_at >= cast((select max(day_on) from public_marts.status_daily) - {{days}} + 1 as timestamp) at time zone 'UTC'
group by hour_of_day
order by hour_of_day
