{{ config(indexes=[{'columns': ['cohort_month_on', 'month_on'], 'unique': true}]) }}

with users as (

    select * from {{ ref('dim_users') }}
    where user_id <> 0

),

activity as (

    select * from {{ ref('user_activity_daily') }}
    where user_id <> 0

),

span as (

    select
        {{ month_of("cast(min(first_request_at) at time zone 'UTC' as date)") }} as first_month_on,
        max(day_on) as last_day_on
    from {{ ref('user_activity_daily') }}
    where user_id <> 0

),

cohorts as (

    select
        {{ month_of('users.signed_up_on') }} as cohort_month_on,
        count(*) as cohort_users
    from users
    inner join span on users.signed_up_on >= span.first_month_on and users.signed_up_on <= span.last_day_on
    group by {{ month_of('users.signed_up_on') }}

),

-- A day of the report time zone may lie before the UTC day of sign-up, and in the month before: it counts as its month.
active as (

    select
        {{ month_of('users.signed_up_on') }} as cohort_month_on,
        greatest({{ month_of('activity.day_on') }}, {{ month_of('users.signed_up_on') }}) as month_on,
        count(distinct users.user_id) as active_users
    from users
    inner join activity on users.user_id = activity.user_id
    group by
        {{ month_of('users.signed_up_on') }},
        greatest({{ month_of('activity.day_on') }}, {{ month_of('users.signed_up_on') }})

),

grid as (

    select
        cohorts.cohort_month_on,
        cohorts.cohort_users,
        cast(months.month_at as date) as month_on,
        span.last_day_on
    from cohorts
    cross join span
    cross join lateral generate_series(cohorts.cohort_month_on, cast(span.last_day_on as timestamp), interval '1 month')
        as months (month_at)

),

final as (

    select
        grid.cohort_month_on,
        grid.month_on,
        cast(
            12 * (extract(year from grid.month_on) - extract(year from grid.cohort_month_on))
            + extract(month from grid.month_on) - extract(month from grid.cohort_month_on)
            as integer
        ) as months_since_sign_up,
        grid.cohort_users,
        coalesce(active.active_users, 0) as active_users,
        cast(coalesce(active.active_users, 0) as double precision) / grid.cohort_users as retention_ratio,
        grid.month_on + interval '1 month' <= grid.last_day_on + 1 as is_complete_month
    from grid
    left join active on grid.cohort_month_on = active.cohort_month_on and grid.month_on = active.month_on

)

select * from final
