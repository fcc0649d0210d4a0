select
    model_name,
    sum(flagged) / nullif(sum(moderated), 0) as flagged_ratio
from public_marts.status_daily
where day_on > (select max(day_on) from public_marts.status_daily) - {{days}}
group by model_name
order by flagged_ratio desc nulls last, model_name
