{{
    config(
        materialized='partitioned_by_month',
        partition_column='requested_at',
        meta={'time_column': 'requested_at'},
        changes_from='batches',
        indexes=[{'columns': ['requested_at'], 'type': 'brin'}],
    )
}}

with requests as (

    select * from {{ ref('stg_api_requests') }}

),

users as (

    select * from {{ ref('dim_users') }}

),

models as (

    select * from {{ ref('dim_models') }}

),

endpoints as (

    select * from {{ ref('dim_endpoints') }}

),

dates as (

    select * from {{ ref('dim_date') }}

),

prices as (

    {{ price_periods() | indent(4) }}

),

-- Disjoint kinds of tokens, each with a price of its own: what is read from a cache is not input once more.
tokens_by_kind as (

    select
        *,
        prompt_tokens - coalesce(cache_read_tokens, 0) - coalesce(cache_write_tokens, 0) as input_uncached_tokens,
        completion_tokens - coalesce(reasoning_tokens, 0) as output_tokens
    from requests

),

joined as (

    select
        {{ generate_surrogate_key(['requests.source', 'requests.request_id']) }} as request_key,
        users.user_key,
        models.model_key,
        endpoints.endpoint_key,
        dates.date_key,
        prices.price_key,
        requests.team_id,
        requests.request_id,
        requests.source,
        requests.status_code,
        requests.prompt_tokens,
        requests.completion_tokens,
        requests.prompt_tokens + requests.completion_tokens as total_tokens,
        requests.input_uncached_tokens,
        requests.cache_read_tokens,
        requests.cache_write_tokens,
        requests.output_tokens,
        requests.reasoning_tokens,
        requests.latency_ms,
        cast(
            case
                when models.model_id <= 0 and prices.price_key is null then requests.cost_reported_usd
                when requests.status_code <> 200 then 0
                else (
                    {{ token_cost('input_uncached_tokens', 'input_usd_per_mtok') }}
                    + {{ token_cost('output_tokens', 'output_usd_per_mtok') }}
                    + {{ token_cost('coalesce(cache_read_tokens, 0)', 'cache_read_usd_per_mtok') }}
                    + {{ token_cost('coalesce(cache_write_tokens, 0)', 'cache_write_usd_per_mtok') }}
                    + {{ token_cost('coalesce(reasoning_tokens, 0)', 'reasoning_usd_per_mtok') }}
                ) / 1000000
            end as numeric(14, 6)
        ) as cost_usd,
        requests.cost_reported_usd,
        requests.status_code >= 400 as is_error,
        requests.status_code = 429 as is_rate_limited,
        requests.is_flagged,
        requests.requested_at
    from tokens_by_kind as requests
    -- Left joins: a reference that points nowhere leaves a NULL key for the tests to find, not a lost request.
    left join users on requests.user_id = users.user_id
    left join models on requests.model_id = models.model_id
    left join endpoints on requests.endpoint_id = endpoints.endpoint_id
    left join dates on requests.requested_on = dates.full_date
    left join prices
        on
            requests.model_id = prices.model_id
            and requests.requested_at >= prices.valid_from
            and (prices.valid_to is null or requests.requested_at < prices.valid_to)

),

final as (

    select
        request_key,
        user_key,
        model_key,
        endpoint_key,
        date_key,
        price_key,
        team_id,
        request_id,
        source,
        status_code,
        prompt_tokens,
        completion_tokens,
        total_tokens,
        input_uncached_tokens,
        cache_read_tokens,
        cache_write_tokens,
        output_tokens,
        reasoning_tokens,
        latency_ms,
        cost_usd,
        cost_reported_usd,
        is_error,
        is_rate_limited,
        cost_usd is null as is_unpriced,
        is_flagged,
        requested_at
    from joined

)

select * from final
