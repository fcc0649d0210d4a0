with days as (
    select
        day_on,
        sum(requests) as requests
    from public_marts.usage_daily
    where day_on > (select max(day_on) from public_marts.usage_daily) - {{days}} - 6
    group by day_on
),

smoothed as (
    select
        day_on,
        requests,
        avg(requests) over (order by day_on range between interval '6 days' preceding and current row)
            as requests_7_day_mean
    from days
)

select
    day_on,
    requests,
    round(requests_7_day_mean, 1) as requests_7_day_mean
from smoothed
where day_on > (select max(day_on) from public_marts.usage_daily) - {{days}}
order by day_on
