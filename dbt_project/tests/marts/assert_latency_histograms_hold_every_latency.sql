-- Fails if a histogram does not hold as many requests as report a latency.
select
    day_on,
    model_name,
    path,
    source,
    requests_with_latency,
    mod(latency_histogram, 9999999999) as requests_in_histogram
from {{ ref('model_performance_daily') }}
where coalesce(mod(latency_histogram, 9999999999), 0) <> requests_with_latency
