with billing_tiers as (

    select * from {{ ref('billing_tiers') }}

),

unknown_tier as (

    select
        0 as billing_tier_id,
        'unknown' as billing_tier,
        cast(null as numeric(10, 2)) as monthly_price_usd,
        cast(null as bigint) as included_tokens,
        cast(null as integer) as requests_per_minute,
        cast(null as integer) as request_weight

),

all_tiers as (

    select * from billing_tiers
    union all
    select * from unknown_tier

),

final as (

    select
        {{ generate_surrogate_key(['billing_tier']) }} as billing_tier_key,
        billing_tier_id,
        billing_tier,
        monthly_price_usd,
        included_tokens,
        requests_per_minute,
        request_weight
    from all_tiers

)

select * from final
