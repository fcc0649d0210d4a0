select
    day_on,
    sum(errors) / nullif(sum(requests_with_status), 0) as error_ratio,
    sum(rate_limited) / nullif(sum(requests_with_status), 0) as rate_limited_ratio
from public_marts.usage_daily
where
    day_on > (select max(day_on) from public_marts.usage_daily) - {{days}}
    [[and provider in ({{provider}})]]
group by day_on
order by day_on
