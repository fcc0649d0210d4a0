select
    path,
    sum(requests) as requests
from public_marts.usage_daily
where
    day_on > (select max(day_on) from public_marts.usage_daily) - {{days}}
    [[and billing_tier in ({{tier}})]]
group by path
order by requests desc, path
