with models as (
    select
        model_name,
        sum(latency_histogram) as latency_histogram
    from public_marts.model_performance_daily
    where
        day_on > (select max(day_on) from public_marts.model_performance_daily) - {{days}}
        [[and provider in ({{provider}})]]
    group by model_name
)

select
    model_name,
    public_marts.latency_quantile(latency_histogram, 0.5) as p50_latency_ms,
    public_marts.latency_quantile(latency_histogram, 0.95) as p95_latency_ms
from models
order by p50_latency_ms, model_name
