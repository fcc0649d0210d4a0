{{
    config(
        pre_hook="{{ create_latency_functions() }}",
        indexes=[{'columns': ['day_on', 'model_name', 'path', 'source'], 'unique': true}],
    )
}}

with requests as (

    select * from {{ ref('reported_requests') }}

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
