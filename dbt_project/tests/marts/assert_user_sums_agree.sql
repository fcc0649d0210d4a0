-- Fails if the marts about users disagree: on the requests, errors and cost of known users, or on what they are billed.
with known_days as (

    select
        sum(requests) as requests,
        sum(cost_usd) as cost_usd
    from {{ ref('user_activity_daily') }}
    where user_id <> 0

),

lifetimes as (

    select
        sum(requests) as requests,
        sum(cost_usd) as cost_usd,
        sum(revenue_usd) as revenue_usd
    from {{ ref('user_lifetime') }}

),

engagement as (

    select
        sum(session_requests) as requests,
        sum(sessions) as sessions
    from {{ ref('engagement_daily') }}

),

subscriptions as (

    select sum(revenue_usd) as revenue_usd from {{ ref('user_subscriptions_monthly') }}

),

companies as (

    select sum(revenue_usd) as revenue_usd from {{ ref('company_usage_monthly') }}

)

select
    known_days.requests as requests_by_day,
    lifetimes.requests as requests_by_user,
    engagement.requests as requests_by_session,
    known_days.cost_usd as cost_by_day_usd,
    lifetimes.cost_usd as cost_by_user_usd,
    subscriptions.revenue_usd as billed_usd,
    lifetimes.revenue_usd as revenue_by_user_usd,
    companies.revenue_usd as revenue_by_company_usd
from known_days
cross join lifetimes
cross join engagement
cross join subscriptions
cross join companies
where
    coalesce(known_days.requests, 0) <> coalesce(lifetimes.requests, 0)
    or coalesce(known_days.requests, 0) <> coalesce(engagement.requests, 0)
    or coalesce(known_days.cost_usd, 0) <> coalesce(lifetimes.cost_usd, 0)
    or coalesce(subscriptions.revenue_usd, 0) <> coalesce(lifetimes.revenue_usd, 0)
    or coalesce(subscriptions.revenue_usd, 0) <> coalesce(companies.revenue_usd, 0)
