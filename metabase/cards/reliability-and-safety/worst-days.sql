select
    day_on,
    sum(requests) as requests,
    coalesce(sum(requests) filter (where status_class not in ('success', 'not reported')), 0)
    / nullif(sum(requests) filter (where status_code is not null), 0) as error_ratio,
    coalesce(sum(requests) filter (where status_class = 'rate limited'), 0) as rate_limited,
    coalesce(sum(requests) filter (where status_class = 'server error'), 0) as server_errors,
    case when sum(moderated) > 0 then sum(flagged) end as flagged
from public_marts.status_daily
where day_on > (select max(day_on) from public_marts.status_daily) - {{days}}
group by day_on
order by error_ratio desc nulls last, day_on
limit 10
