{{
    config(
        materialized='rebuilt_by_period',
        rebuild_by={'column': 'day_on', 'period': 'day'},
        pre_hook="{{ create_latency_functions() }}",
        indexes=[{'columns': ['day_on', 'model_name', 'provider', 'path', 'source'], 'unique': true}],
    )
}}

with requests as (

    select * from {{ ref('reported_requests') }}
    where {{ rebuilt_range('requested_at') }}

),

measured as (

    select
        day_on,
        model_name,
        provider,
        path,
        source,
        {{ performance_measures() }}
    from requests
    group by day_on, model_name, provider, path, source

),

final as (

    select
        day_on,
        model_name,
        provider,
        path,
        source,
        {{ performance_columns() }}
    from measured

)

select * from final
