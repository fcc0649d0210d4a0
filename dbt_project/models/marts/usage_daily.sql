{{
    config(
        indexes=[{'columns': ['day_on', 'model_name', 'path', 'billing_tier', 'source'], 'unique': true}],
    )
}}

with requests as (

    select * from {{ ref('reported_requests') }}

),

final as (

    select
        day_on,
        model_name,
        provider,
        path,
        billing_tier,
        source,
        {{ usage_measures() }}
    from requests
    group by day_on, model_name, provider, path, billing_tier, source

)

select * from final
