select
    day_on,
    status_class,
    sum(requests) as requests
from public_marts.status_daily
where day_on > (select max(day_on) from public_marts.status_daily) - {{days}}
group by day_on, status_class
order by day_on, status_class
