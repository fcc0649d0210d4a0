-- Fails if a mart by hour or day has another number of requests, tokens, errors or micro-dollars on a day than the fact.
with facts as (

    select
        {{ report_day('requested_at') }} as day_on,
        count(*) as requests,
        sum(total_tokens) as total_tokens,
        sum(cost_usd) as cost_usd,
        count(*) filter (where is_error) as errors,
        count(*) filter (where is_rate_limited) as rate_limited,
        count(*) filter (where is_flagged) as flagged,
        count(*) filter (where cost_usd is null) as unpriced_requests,
        sum(latency_ms) as latency_ms_total,
        sum(input_uncached_tokens) as input_uncached_tokens,
        sum(output_tokens) as output_tokens
    from {{ tested_periods(ref('fct_api_requests'), 'requested_at') }} as requests
    group by {{ report_day('requested_at') }}

),

marts as (

    {% for mart, lacks in [
        ('usage_hourly', ['latency_ms_total']),
        ('usage_daily', ['latency_ms_total']),
        ('model_performance_hourly', ['total_tokens', 'flagged', 'input_uncached_tokens', 'output_tokens']),
        ('model_performance_daily', ['total_tokens', 'flagged', 'input_uncached_tokens', 'output_tokens']),
        ('status_daily', [
            'total_tokens', 'cost_usd', 'errors', 'rate_limited', 'unpriced_requests', 'latency_ms_total',
            'input_uncached_tokens', 'output_tokens'
        ]),
        ('user_activity_daily', ['flagged', 'latency_ms_total', 'input_uncached_tokens', 'output_tokens']),
    ] %}
    {% if not loop.first %}
        union all
    {% endif %}
    select
        '{{ mart }}' as mart,
        day_on,
        sum(requests) as requests
        {%- for measure in [
            'total_tokens', 'cost_usd', 'errors', 'rate_limited', 'flagged', 'unpriced_requests', 'latency_ms_total',
            'input_uncached_tokens', 'output_tokens'
        ] %},
        {% if measure in lacks %}cast(null as numeric){% else %}sum({{ measure }}){% endif %} as {{ measure }},
        {{ 'false' if measure in lacks else 'true' }} as has_{{ measure }}
        {%- endfor %}
    from {{ tested_periods(ref(mart), 'day_on') }} as {{ mart }}
    group by day_on
    {% endfor %}

),

-- Every mart must hold every day of the fact.
expected as (

    select
        facts.*,
        names.mart
    from facts
    cross join (select distinct mart from marts) as names

)

select
    coalesce(expected.mart, marts.mart) as mart,
    coalesce(expected.day_on, marts.day_on) as day_on,
    expected.requests as fact_requests,
    marts.requests as mart_requests,
    expected.cost_usd as fact_cost_usd,
    marts.cost_usd as mart_cost_usd,
    expected.total_tokens as fact_total_tokens,
    marts.total_tokens as mart_total_tokens
from expected
full outer join marts on expected.mart = marts.mart and expected.day_on = marts.day_on
where
    expected.requests is distinct from marts.requests
    {% for measure in [
        'total_tokens', 'cost_usd', 'errors', 'rate_limited', 'flagged', 'unpriced_requests', 'latency_ms_total',
        'input_uncached_tokens', 'output_tokens'
    ] %}
        or (marts.has_{{ measure }} and expected.{{ measure }} is distinct from marts.{{ measure }})
    {% endfor %}
