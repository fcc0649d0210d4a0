select
    coalesce(sum(requests) filter (where status_class = 'rate limited'), 0)
    / nullif(sum(requests) filter (where status_code is not null), 0) as rate_limited_ratio
from public_marts.status_daily
where day_on > (select max(day_on) from public_marts.status_daily) - {{days}}
