with models as (
    select
        model_name,
        provider,
        sum(requests) as requests,
        sum(latency_histogram) as latency_histogram,
        sum(errors) / nullif(sum(requests_with_status), 0) as error_ratio,
        1000 * sum(cost_usd) / nullif(sum(requests) - sum(unpriced_requests), 0) as cost_per_1000_requests_usd
    from public_marts.model_performance_daily
    where
        day_on > (select max(day_on) from public_marts.model_performance_daily) - {{days}}
        [[and provider in ({{provider}})]]
    group by model_name, provider
)

select
    model_name,
    provider,
    requests,
    public_marts.latency_quantile(latency_histogram, 0.5) as p50_latency_ms,
    public_marts.latency_quantile(latency_histogram, 0.95) as p95_latency_ms,
    public_marts.latency_quantile(latency_histogram, 0.99) as p99_latency_ms,
    error_ratio,
    cost_per_1000_requests_usd
from models
order by requests desc, model_name
