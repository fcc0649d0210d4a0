with days as (
    select
        day_on,
        sum(latency_histogram) as latency_histogram
    from public_marts.model_performance_daily
    where
        day_on > (select max(day_on) from public_marts.model_performance_daily) - {{days}}
        [[and provider in ({{provider}})]]
    group by day_on
)

select
    day_on,
    public_marts.latency_quantile(latency_histogram, 0.5) as p50_latency_ms,
    public_marts.latency_quantile(latency_histogram, 0.9) as p90_latency_ms,
    public_marts.latency_quantile(latency_histogram, 0.95) as p95_latency_ms,
    public_marts.latency_quantile(latency_histogram, 0.99) as p99_latency_ms
from days
order by day_on
