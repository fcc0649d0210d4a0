-- Fails if a mart by hour or day has other requests, tokens, errors or micro-dollars on a day than the fact.
{% set usage = [
    'requests', 'total_tokens', 'input_uncached_tokens', 'output_tokens', 'cost_usd', 'errors', 'rate_limited', 'flagged',
    'unpriced_requests'
] %}
{% set performance = ['requests', 'cost_usd', 'errors', 'rate_limited', 'unpriced_requests', 'latency_ms_total'] %}
{% set status = ['requests', 'flagged'] %}
{% set activity = ['requests', 'total_tokens', 'cost_usd', 'errors', 'rate_limited', 'unpriced_requests'] %}
with facts as (

    select
        {{ report_day('requested_at') }} as day_on,
        count(*) as requests,
        sum(total_tokens) as total_tokens,
        sum(input_uncached_tokens) as input_uncached_tokens,
        sum(output_tokens) as output_tokens,
        sum(cost_usd) as cost_usd,
        count(*) filter (where is_error) as errors,
        count(*) filter (where is_rate_limited) as rate_limited,
        count(*) filter (where is_flagged) as flagged,
        count(*) filter (where cost_usd is null) as unpriced_requests,
        sum(latency_ms) as latency_ms_total
    from {{ tested_periods(ref('fct_api_requests'), 'requested_at') }}
    group by {{ report_day('requested_at') }}

),

usage_hourly as (

    {{ daily_sums(ref('usage_hourly'), usage) }}

),

usage_daily as (

    {{ daily_sums(ref('usage_daily'), usage) }}

),

model_performance_hourly as (

    {{ daily_sums(ref('model_performance_hourly'), performance) }}

),

model_performance_daily as (

    {{ daily_sums(ref('model_performance_daily'), performance) }}

),

status_daily as (

    {{ daily_sums(ref('status_daily'), status) }}

),

user_activity_daily as (

    {{ daily_sums(ref('user_activity_daily'), activity) }}

),

differences as (

    {{ differing_sums('facts', 'usage_hourly', usage) }}
    union all
    {{ differing_sums('facts', 'usage_daily', usage) }}
    union all
    {{ differing_sums('facts', 'model_performance_hourly', performance) }}
    union all
    {{ differing_sums('facts', 'model_performance_daily', performance) }}
    union all
    {{ differing_sums('facts', 'status_daily', status) }}
    union all
    {{ differing_sums('facts', 'user_activity_daily', activity) }}

)

select * from differences
