{# What model_performance_hourly and model_performance_daily measure, and the columns they make of it. #}
{% macro performance_measures() -%}
    count(*) as requests,
    count(status_code) as requests_with_status,
    cast(sum(cost_usd) as numeric(20, 6)) as cost_usd,
    count(*) filter (where is_error) as errors,
    count(*) filter (where is_rate_limited) as rate_limited,
    count(*) filter (where cost_usd is null) as unpriced_requests,
    count(latency_ms) as requests_with_latency,
    cast(sum(latency_ms) as bigint) as latency_ms_total,
    {{ latency_histogram('latency_ms') }} as latency_histogram,
    percentile_disc(array[0.5, 0.9, 0.95, 0.99]) within group (order by latency_ms) as latency_percentiles_ms,
    cast(sum(output_tokens) filter (where {{ is_timed() }}) as bigint) as timed_output_tokens,
    cast(sum(latency_ms) filter (where {{ is_timed() }}) as bigint) as timed_latency_ms
{%- endmacro %}

{% macro performance_columns() -%}
    requests,
    requests_with_status,
    cost_usd,
    errors,
    rate_limited,
    unpriced_requests,
    cast(errors as double precision) / nullif(requests_with_status, 0) as error_ratio,
    cast(rate_limited as double precision) / nullif(requests_with_status, 0) as rate_limited_ratio,
    latency_percentiles_ms[1] as p50_latency_ms,
    latency_percentiles_ms[2] as p90_latency_ms,
    latency_percentiles_ms[3] as p95_latency_ms,
    latency_percentiles_ms[4] as p99_latency_ms,
    requests_with_latency,
    latency_ms_total,
    latency_histogram,
    timed_output_tokens,
    timed_latency_ms,
    cast(timed_output_tokens * 1000.0 / timed_latency_ms as double precision) as output_tokens_per_second
{%- endmacro %}

{# Requests whose speed can be told: not failed, with an answer and a latency. #}
{% macro is_timed() -%}
    is_error is not true and output_tokens > 0 and latency_ms > 0
{%- endmacro %}
