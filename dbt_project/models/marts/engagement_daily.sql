{{ config(indexes=[{'columns': ['day_on'], 'unique': true}]) }}

with activity as (

    select distinct
        user_id,
        day_on
    from {{ ref('user_activity_daily') }}
    where user_id <> 0

),

users as (

    select * from {{ ref('dim_users') }}
    where user_id <> 0

),

sessions as (

    select * from {{ ref('sessions_daily') }}

),

days as (

    select cast(days.day_at as date) as day_on
    from (
        select
            min(day_on) as first_day_on,
            max(day_on) as last_day_on
        from activity
    ) as span
    cross join lateral generate_series(span.first_day_on, cast(span.last_day_on as timestamp), interval '1 day')
        as days (day_at)

),

-- A user is active in the window of n days from an active day on, until the next one takes over or the window ends: one
-- step up and one down per active day, instead of a count of distinct users per window.
followed as (

    select
        day_on,
        lead(day_on) over (partition by user_id order by day_on) as next_day_on
    from activity

),

steps as (

    select
        day_on,
        1 as weekly_step,
        1 as monthly_step,
        1 as daily_users
    from followed
    union all
    select
        least(next_day_on, day_on + 7) as day_on,
        -1 as weekly_step,
        0 as monthly_step,
        0 as daily_users
    from followed
    union all
    select
        least(next_day_on, day_on + 30) as day_on,
        0 as weekly_step,
        -1 as monthly_step,
        0 as daily_users
    from followed

),

steps_daily as (

    select
        day_on,
        sum(weekly_step) as weekly_step,
        sum(monthly_step) as monthly_step,
        sum(daily_users) as daily_users
    from steps
    group by day_on

),

active as (

    select
        days.day_on,
        cast(coalesce(steps_daily.daily_users, 0) as bigint) as daily_active_users,
        cast(sum(steps_daily.weekly_step) over (order by days.day_on) as bigint) as weekly_active_users,
        cast(sum(steps_daily.monthly_step) over (order by days.day_on) as bigint) as monthly_active_users
    from days
    left join steps_daily on days.day_on = steps_daily.day_on

),

sign_ups as (

    select
        signed_up_on,
        count(*) as new_users
    from users
    group by signed_up_on

),

sessions_daily as (

    select
        started_on,
        sum(sessions) as sessions,
        sum(sessions) filter (where requests_in_session = 1) as single_request_sessions,
        sum(sessions * requests_in_session) as session_requests,
        sum(duration_s) as session_duration_s
    from sessions
    group by started_on

),

final as (

    select
        active.day_on,
        active.daily_active_users,
        active.weekly_active_users,
        active.monthly_active_users,
        cast(active.daily_active_users as double precision) / nullif(active.monthly_active_users, 0)
            as stickiness_ratio,
        coalesce(sign_ups.new_users, 0) as new_users,
        cast(coalesce(sessions_daily.sessions, 0) as bigint) as sessions,
        cast(coalesce(sessions_daily.single_request_sessions, 0) as bigint) as single_request_sessions,
        cast(coalesce(sessions_daily.session_requests, 0) as bigint) as session_requests,
        cast(coalesce(sessions_daily.session_duration_s, 0) as numeric(20, 6)) as session_duration_s
    from active
    left join sign_ups on active.day_on = sign_ups.signed_up_on
    left join sessions_daily on active.day_on = sessions_daily.started_on

)

select * from final
