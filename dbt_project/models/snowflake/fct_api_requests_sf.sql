{{
    config(
        materialized='partitioned_by_month',
        partition_column='requested_at',
        meta={'time_column': 'requested_at'},
        changes_from='fact',
    )
}}

with requests as (

    select * from {{ ref('fct_api_requests') }}

),

users as (

    select * from {{ ref('dim_users_sf') }}

),

final as (

    select
        requests.request_key,
        users.user_key,
        requests.model_key,
        requests.endpoint_key,
        requests.date_key,
        requests.price_key,
        requests.team_id,
        requests.request_id,
        requests.source,
        requests.status_code,
        requests.prompt_tokens,
        requests.completion_tokens,
        requests.total_tokens,
        requests.input_uncached_tokens,
        requests.cache_read_tokens,
        requests.cache_write_tokens,
        requests.output_tokens,
        requests.reasoning_tokens,
        requests.latency_ms,
        requests.cost_usd,
        requests.cost_reported_usd,
        requests.is_error,
        requests.is_rate_limited,
        requests.is_unpriced,
        requests.is_flagged,
        requests.requested_at
    from requests
    left join users on requests.user_key = users.user_key

)

select * from final
