select
    model_name,
    sum(timed_output_tokens) * 1000 / nullif(sum(timed_latency_ms), 0) as output_tokens_per_second
from public_marts.model_performance_daily
where
    day_on > (select max(day_on) from public_marts.model_performance_daily) - {{days}}
    [[and provider in ({{provider}})]]
group by model_name
order by output_tokens_per_second desc nulls last, model_name
