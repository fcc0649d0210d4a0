select public_marts.latency_quantile(sum(latency_histogram), 0.95) as p95_latency_ms
from public_marts.model_performance_daily
where
    day_on > (select max(day_on) from public_marts.model_performance_daily) - {{days}}
    [[and provider in ({{provider}})]]
