select
    day_on,
    sum(flagged) / nullif(sum(moderated), 0) as flagged_ratio
from public_marts.status_daily
where day_on > (select max(day_on) from public_marts.status_daily) - {{days}}
group by day_on
order by day_on
