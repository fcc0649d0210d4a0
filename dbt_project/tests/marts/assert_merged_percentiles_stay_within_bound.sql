-- Fails if a percentile read from a model's merged histograms is off by more than a bucket's width and half a
-- millisecond, or a whole one at 0, which shares the lowest bucket with 1 ms.
with exact as (

    select
        models.model_name,
        percentile_disc(array[0.5, 0.9, 0.95, 0.99]) within group (order by requests.latency_ms) as percentiles_ms
    from {{ tested_periods(ref('fct_api_requests'), 'requested_at') }} as requests
    inner join {{ ref('dim_models') }} as models on requests.model_key = models.model_key
    where requests.latency_ms is not null
    group by models.model_name

),

merged as (

    select
        'model_performance_hourly' as mart,
        model_name,
        sum(latency_histogram) as latency_histogram
    from {{ tested_periods(ref('model_performance_hourly'), 'day_on') }}
    group by model_name
    union all
    select
        'model_performance_daily' as mart,
        model_name,
        sum(latency_histogram) as latency_histogram
    from {{ tested_periods(ref('model_performance_daily'), 'day_on') }}
    group by model_name

),

compared as (

    select
        merged.mart,
        exact.model_name,
        quantiles.quantile,
        exact.percentiles_ms[quantiles.number] as exact_ms,
        {{ ref('model_performance_daily').schema }}.latency_quantile(
            merged.latency_histogram, quantiles.quantile
        ) as merged_ms
    from exact
    inner join merged on exact.model_name = merged.model_name
    cross join lateral (values (1, 0.5), (2, 0.9), (3, 0.95), (4, 0.99)) as quantiles (number, quantile)

)

select *
from compared
where
    abs(merged_ms - exact_ms)
    > (exp({{ var('latency_bucket_width') }}) - 1) * exact_ms + case when exact_ms = 0 then 1 else 0.5 end
