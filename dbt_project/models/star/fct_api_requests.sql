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

final as (

    select
        {{ generate_surrogate_key(['requests.source', 'requests.request_id']) }} as request_key,
        users.user_key,
        models.model_key,
        endpoints.endpoint_key,
        dates.date_key,
        requests.request_id,
        requests.source,
        requests.status_code,
        requests.prompt_tokens,
        requests.completion_tokens,
        requests.prompt_tokens + requests.completion_tokens as total_tokens,
        requests.latency_ms,
        cast(
            case
                when models.model_id = 0 then null
                when requests.status_code <> 200 then 0
                else (
                    requests.prompt_tokens * models.input_usd_per_mtok
                    + requests.completion_tokens * models.output_usd_per_mtok
                ) / 1000000
            end as numeric(14, 6)
        ) as cost_usd,
        requests.status_code >= 400 as is_error,
        requests.status_code = 429 as is_rate_limited,
        requests.is_flagged,
        requests.requested_at
    from requests
    -- Left joins: a reference that points nowhere leaves a NULL key for the tests to find, not a lost request.
    left join users on requests.user_id = users.user_id
    left join models on requests.model_id = models.model_id
    left join endpoints on requests.endpoint_id = endpoints.endpoint_id
    left join dates on requests.requested_on = dates.full_date

)

select * from final
