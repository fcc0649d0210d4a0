{{
    config(
        materialized='rebuilt_by_period',
        rebuild_by={'column': 'day_on', 'period': 'day'},
        indexes=[{'columns': ['day_on', 'model_name', 'provider', 'path', 'billing_tier', 'source'], 'unique': true}],
    )
}}

with requests as (

    select * from {{ ref('reported_requests') }}
    where {{ rebuilt_range('requested_at') }}

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
