select
    day_on,
    billing_tier,
    count(distinct user_id) as active_users
from public_marts.user_activity_daily
where
    user_id <> 0
    and day_on > (select max(day_on) from public_marts.user_activity_daily) - {{days}}
    [[and billing_tier in ({{tier}})]]
group by day_on, billing_tier
order by day_on, billing_tier
