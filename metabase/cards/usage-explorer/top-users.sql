select
    users.user_label,
    activity.company_name,
    activity.billing_tier,
    sum(activity.requests) as requests,
    sum(activity.total_tokens) as total_tokens,
    sum(activity.cost_usd) as cost_usd
from public_marts.user_activity_daily as activity
inner join public_marts.user_lifetime as users on activity.user_id = users.user_id
where
    activity.day_on > (select max(day_on) from public_marts.user_activity_daily) - {{days}}
    [[and activity.billing_tier in ({{tier}})]]
group by activity.user_id, users.user_label, activity.company_name, activity.billing_tier
order by requests desc, activity.user_id
limit 15
