-- Fails if a billing tier costs more than another but includes fewer tokens or requests.
select
    dearer.billing_tier as dearer_tier,
    cheaper.billing_tier as cheaper_tier,
    dearer.included_tokens as dearer_included_tokens,
    cheaper.included_tokens as cheaper_included_tokens,
    dearer.requests_per_minute as dearer_requests_per_minute,
    cheaper.requests_per_minute as cheaper_requests_per_minute
from {{ ref('dim_billing_tiers') }} as dearer
inner join {{ ref('dim_billing_tiers') }} as cheaper on dearer.monthly_price_usd > cheaper.monthly_price_usd
where
    dearer.included_tokens < cheaper.included_tokens
    or dearer.requests_per_minute < cheaper.requests_per_minute
