{{ config(indexes=[{'columns': ['cohort_month_on', 'billing_tier', 'step_number'], 'unique': true}]) }}

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
        cast(min(first_request_at) at time zone 'UTC' as date) as first_day_on,
        max(day_on) as last_day_on
    from {{ ref('user_activity_daily') }}
    where user_id <> 0

),

observed_users as (

    select
        users.user_id,
        users.billing_tier,
        users.signed_up_on
    from users
    inner join span
        on users.signed_up_on >= span.first_day_on and users.signed_up_on + 13 <= span.last_day_on

),

reached as (

    select
        observed_users.user_id,
        observed_users.billing_tier,
        {{ month_of('observed_users.signed_up_on') }} as cohort_month_on,
        count(activity.day_on) > 0 as has_request,
        coalesce(sum(activity.successes) >= 1, false) as has_success,
        coalesce(sum(activity.successes) >= 10, false) as has_ten_successes,
        coalesce(
            bool_or(activity.day_on between observed_users.signed_up_on + 7 and observed_users.signed_up_on + 13), false
        ) as was_active_in_week_two
    from observed_users
    left join activity on observed_users.user_id = activity.user_id
    group by observed_users.user_id, observed_users.billing_tier, observed_users.signed_up_on

),

steps as (

    select
        reached.cohort_month_on,
        reached.billing_tier,
        steps.step_number,
        steps.step,
        steps.is_reached
    from reached
    cross join lateral (
        values
        (1, 'signed up', true),
        (2, 'first request', reached.has_request),
        (3, 'first success', reached.has_success),
        (4, 'tenth success', reached.has_ten_successes),
        (5, 'active in week two', reached.has_ten_successes and reached.was_active_in_week_two)
    ) as steps (step_number, step, is_reached)

),

final as (

    select
        cohort_month_on,
        billing_tier,
        step_number,
        step,
        count(*) as signed_up_users,
        count(*) filter (where is_reached) as users
    from steps
    group by cohort_month_on, billing_tier, step_number, step

)

select * from final
