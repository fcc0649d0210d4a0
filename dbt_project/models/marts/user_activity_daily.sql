{{
    config(
        materialized='rebuilt_by_period',
        rebuild_by={'column': 'day_on', 'period': 'day'},
        indexes=[{'columns': ['day_on', 'user_id', 'company_name', 'billing_tier'], 'unique': true}],
    )
}}

with requests as (

    select * from {{ ref('reported_requests') }}
    where {{ rebuilt_range('requested_at') }}

),

final as (

    select
        day_on,
        user_id,
        company_name,
        billing_tier,
        count(*) as requests,
        count(*) filter (where is_error is not true) as successes,
        cast(sum(total_tokens) as bigint) as total_tokens,
        cast(sum(cost_usd) as numeric(20, 6)) as cost_usd,
        count(*) filter (where is_error) as errors,
        count(*) filter (where is_rate_limited) as rate_limited,
        count(*) filter (where cost_usd is null) as unpriced_requests,
        min(requested_at) as first_request_at,
        max(requested_at) as last_request_at
    from requests
    group by day_on, user_id, company_name, billing_tier

)

select * from final
