{{
    config(
        indexes=[{'columns': ['hour_at', 'model_name', 'source'], 'unique': true}],
    )
}}

with requests as (

    select * from {{ ref('reported_requests') }}

),

measured as (

    select
        hour_at,
        min(day_on) as day_on,
        model_name,
        provider,
        source,
        {{ performance_measures() }}
    from requests
    group by hour_at, model_name, provider, source

),

final as (

    select
        hour_at,
        day_on,
        model_name,
        provider,
        source,
        {{ performance_columns() }}
    from measured

)

select * from final
