{{
    config(
        materialized='view',
        pre_hook="select now() at time zone {{ report_tz() }}",
    )
}}

-- The hook fails where PostgreSQL does not know the report time zone: the view itself would be created all the same.

with requests as (

    select * from {{ ref('fct_api_requests') }}

),

users as (

    select * from {{ ref('dim_users_history') }}

),

models as (

    select * from {{ ref('dim_models') }}

),

endpoints as (

    select * from {{ ref('dim_endpoints') }}

),

teams as (

    select * from {{ ref('dim_teams') }}

),

final as (

    select
        users.user_id,
        coalesce(teams.team_name, users.company_name) as company_name,
        users.billing_tier,
        models.model_name,
        models.provider,
        endpoints.path,
        requests.source,
        {{ report_hour('requests.requested_at') }} as hour_at,
        {{ report_day('requests.requested_at') }} as day_on,
        requests.status_code,
        requests.input_uncached_tokens,
        requests.cache_read_tokens,
        requests.cache_write_tokens,
        requests.output_tokens,
        requests.reasoning_tokens,
        requests.total_tokens,
        requests.latency_ms,
        requests.cost_usd,
        requests.is_error,
        requests.is_rate_limited,
        requests.is_flagged,
        requests.requested_at
    from requests
    inner join users
        on
            requests.user_key = users.user_key
            and requests.requested_at >= users.valid_from
            and (users.valid_to is null or requests.requested_at < users.valid_to)
    left join teams on requests.team_id = teams.team_id and teams.team_id <> 0
    inner join models on requests.model_key = models.model_key
    inner join endpoints on requests.endpoint_key = endpoints.endpoint_key

)

select * from final
