{{ config(meta={'time_column': 'requested_at'}) }}

with api_requests as (

    select * from {{ source('raw_staging', 'api_requests') }}

),

renamed as (

    select
        source,
        request_id,

        -- Only an absent reference is mapped to the unknown member; one that points nowhere must stay visible.
        coalesce(user_id, 0) as user_id,
        coalesce(model_id, 0) as model_id,
        coalesce(endpoint_id, 0) as endpoint_id,
        coalesce(team_id, 0) as team_id,
        cast(requested_at at time zone 'UTC' as date) as requested_on,
        status_code,
        prompt_tokens,
        completion_tokens,
        cache_read_tokens,
        cache_write_tokens,
        reasoning_tokens,
        cost_reported_usd,
        latency_ms,
        is_flagged,
        requested_at
    from api_requests

)

select * from renamed
