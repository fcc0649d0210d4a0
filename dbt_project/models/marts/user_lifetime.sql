{{ config(indexes=[{'columns': ['user_id'], 'unique': true}]) }}

with users as (

    select * from {{ ref('dim_users') }}
    where user_id <> 0

),

activity as (

    select * from {{ ref('user_activity_daily') }}
    where user_id <> 0

),

subscriptions as (

    select * from {{ ref('user_subscriptions_monthly') }}

),

last_day as (

    select max(day_on) as as_of_on
    from {{ ref('user_activity_daily') }}
    where user_id <> 0

),

usage as (

    select
        activity.user_id,
        count(distinct activity.day_on) as active_days,
        sum(activity.requests) as requests,
        sum(activity.successes) as successes,
        sum(activity.errors) as errors,
        sum(activity.total_tokens) as total_tokens,
        sum(activity.cost_usd) as cost_usd,
        sum(activity.unpriced_requests) as unpriced_requests,
        sum(activity.requests) filter (
            where activity.day_on > last_day.as_of_on - {{ var('trend_window_days') }}
        ) as recent_requests,
        sum(activity.requests) filter (
            where
            activity.day_on <= last_day.as_of_on - {{ var('trend_window_days') }}
            and activity.day_on > last_day.as_of_on - 2 * {{ var('trend_window_days') }}
        ) as previous_requests,
        min(activity.first_request_at) as first_request_at,
        max(activity.last_request_at) as last_request_at,
        min(activity.day_on) as first_active_on,
        max(activity.day_on) as last_active_on,
        mode() within group (order by activity.company_name) as company_name
    from activity
    cross join last_day
    group by activity.user_id

),

revenue as (

    select
        user_id,
        sum(revenue_usd) as revenue_usd
    from subscriptions
    group by user_id

),

measured as (

    select
        users.user_key,
        users.user_id,
        users.full_name,
        case when users.user_id < 0 then users.full_name else 'user ' || users.user_id end as user_label,
        -- A user whom a real log names belongs to the team of most of the active days.
        case when users.user_id < 0 then coalesce(usage.company_name, 'unknown') else users.company_name end
            as company_name,
        users.billing_tier,
        users.country_code,
        users.signed_up_on,
        last_day.as_of_on,
        usage.first_active_on,
        usage.last_active_on,
        coalesce(usage.active_days, 0) as active_days,
        cast(coalesce(usage.requests, 0) as bigint) as requests,
        cast(coalesce(usage.successes, 0) as bigint) as successes,
        cast(coalesce(usage.errors, 0) as bigint) as errors,
        cast(coalesce(usage.unpriced_requests, 0) as bigint) as unpriced_requests,
        cast(case when usage.user_id is null then 0 else usage.total_tokens end as bigint) as total_tokens,
        cast(case when usage.user_id is null then 0 else usage.cost_usd end as numeric(20, 6)) as cost_usd,
        cast(coalesce(revenue.revenue_usd, 0) as numeric(20, 6)) as revenue_usd,
        cast(coalesce(usage.recent_requests, 0) as bigint) as recent_requests,
        cast(coalesce(usage.previous_requests, 0) as bigint) as previous_requests,
        greatest(last_day.as_of_on - greatest(usage.last_active_on, users.signed_up_on), 0) as silent_days,
        greatest(usage.first_active_on, users.signed_up_on) > last_day.as_of_on - 2 * {{ var('trend_window_days') }}
            as is_new,
        usage.first_request_at,
        usage.last_request_at
    from users
    cross join last_day
    left join usage on users.user_id = usage.user_id
    left join revenue on users.user_id = revenue.user_id

),

compared as (

    select
        *,
        cast(recent_requests as double precision) / nullif(previous_requests, 0) as activity_ratio
    from measured

),

final as (

    select
        user_key,
        user_id,
        full_name,
        user_label,
        company_name,
        billing_tier,
        country_code,
        case
            when requests = 0 then 'never active'
            when recent_requests = 0 then 'inactive'
            when is_new then 'new'
            when previous_requests = 0 then 'growing'
            when activity_ratio >= {{ var('trend_growing_ratio') }} then 'growing'
            when activity_ratio <= {{ var('trend_shrinking_ratio') }} then 'shrinking'
            else 'steady'
        end as activity_trend,
        case
            when silent_days >= {{ var('churn_high_silent_days') }} then 'high'
            when silent_days >= {{ var('churn_medium_silent_days') }} then 'medium'
            when not is_new and activity_ratio <= {{ var('churn_medium_trend_ratio') }} then 'medium'
            else 'low'
        end as churn_risk,
        active_days,
        requests,
        successes,
        errors,
        unpriced_requests,
        total_tokens,
        cost_usd,
        revenue_usd,
        cast(revenue_usd - cost_usd as numeric(20, 6)) as value_usd,
        recent_requests,
        previous_requests,
        activity_ratio,
        silent_days,
        signed_up_on,
        first_active_on,
        last_active_on,
        as_of_on,
        first_request_at,
        last_request_at
    from compared

)

select * from final
