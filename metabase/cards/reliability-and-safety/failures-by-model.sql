select
    model_name,
    coalesce(sum(requests) filter (where status_class = 'rate limited'), 0) as rate_limited,
    coalesce(sum(requests) filter (where status_class = 'server error'), 0) as server_errors,
    coalesce(sum(requests) filter (where status_class = 'client error'), 0) as client_errors
from public_marts.status_daily
where day_on > (select max(day_on) from public_marts.status_daily) - {{days}}
group by model_name
order by sum(requests) filter (where status_class <> 'success') desc nulls last, model_name
