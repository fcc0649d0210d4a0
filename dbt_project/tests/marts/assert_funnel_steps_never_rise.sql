-- Fails if more users reached a step of the funnel than the one before it, or if a step is missing.
with followed as (

    select
        cohort_month_on,
        billing_tier,
        step_number,
        users,
        signed_up_users,
        lag(users, 1, signed_up_users) over (partition by cohort_month_on, billing_tier order by step_number)
            as users_before,
        count(*) over (partition by cohort_month_on, billing_tier) as steps
    from {{ ref('activation_funnel') }}

)

select *
from followed
where
    users > users_before
    or steps <> 5
