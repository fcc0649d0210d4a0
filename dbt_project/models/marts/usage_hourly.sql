{{
    config(
        materialized='rebuilt_by_period',
        rebuild_by={'column': 'hour_at', 'period': 'hour'},
        indexes=[
            {'columns': ['hour_at', 'model_name', 'provider', 'path', 'billing_tier', 'source'], 'unique': true},
            {'columns': ['day_on'], 'type': 'brin'},
        ],
    )
}}

with requests as (

    select * from {{ ref('reported_requests') }}
    where {{ rebuilt_range('requested_at') }}

),

final as (

    select
        hour_at,
        min(day_on) as day_on,
        cast(extract(hour from hour_at at time zone {{ report_tz() }}) as integer) as hour_of_day,
        model_name,
        provider,
        path,
        billing_tier,
        source,
        {{ usage_measures() }}
    from requests
    group by hour_at, model_name, provider, path, billing_tier, source
    order by hour_at

)

select * from final
