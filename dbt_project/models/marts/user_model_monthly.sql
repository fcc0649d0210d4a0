{{
    config(
        materialized='rebuilt_by_period',
        rebuild_by={'column': 'month_on', 'period': 'month'},
        indexes=[{'columns': ['month_on', 'user_id', 'model_name', 'provider'], 'unique': true}],
    )
}}

with requests as (

    select * from {{ ref('reported_requests') }}
    where {{ rebuilt_range('requested_at') }}

),

final as (

    select
        {{ month_of('day_on') }} as month_on,
        user_id,
        model_name,
        provider,
        count(*) as requests,
        cast(sum(total_tokens) as bigint) as total_tokens,
        cast(sum(cost_usd) as numeric(20, 6)) as cost_usd,
        count(*) filter (where is_error) as errors,
        count(*) filter (where cost_usd is null) as unpriced_requests
    from requests
    group by {{ month_of('day_on') }}, user_id, model_name, provider

)

select * from final
