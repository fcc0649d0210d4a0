{{
    config(
        indexes=[{'columns': ['hour_at', 'model_name', 'path', 'billing_tier', 'source'], 'unique': true}],
    )
}}

with requests as (

    select * from {{ ref('reported_requests') }}

),

final as (

    select
        hour_at,
        min(day_on) as day_on,
        model_name,
        provider,
        path,
        billing_tier,
        source,
        {{ usage_measures() }}
    from requests
    group by hour_at, model_name, provider, path, billing_tier, source

)

select * from final
