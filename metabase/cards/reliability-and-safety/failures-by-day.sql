select
    day_on,
    coalesce(sum(requests) filter (where status_class = 'rate limited'), 0)
    / nullif(sum(requests) filter (where status_code is not null), 0) as rate_limited_ratio,
    coalesce(sum(requests) filter (where status_class = 'server error'), 0)
    / nullif(sum(requests) filter (where status_code is not null), 0) as server_error_ratio
from public_marts.status_daily
where day_on > (select max(day_on) from public_marts.status_daily) - {{days}}
group by day_on
order by day_on
