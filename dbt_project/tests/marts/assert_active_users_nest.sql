-- Fails if a day has more active users than its week or its week more than its month, or if there are more than users.
with users as (

    select count(*) as users
    from {{ ref('dim_users') }}
    where user_id <> 0

)

select
    engagement.day_on,
    engagement.daily_active_users,
    engagement.weekly_active_users,
    engagement.monthly_active_users,
    users.users
from {{ ref('engagement_daily') }} as engagement
cross join users
where
    engagement.daily_active_users > engagement.weekly_active_users
    or engagement.weekly_active_users > engagement.monthly_active_users
    or engagement.monthly_active_users > users.users
