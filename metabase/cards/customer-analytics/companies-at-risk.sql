select
    lifetime.company_name,
    count(*) as users_at_risk,
    sum(subscriptions.revenue_usd) as revenue_at_risk_usd,
    max(lifetime.silent_days) as silent_days
from public_marts.user_lifetime as lifetime
inner join public_marts.user_subscriptions_monthly as subscriptions
    on
        lifetime.user_id = subscriptions.user_id
        and subscriptions.month_on = (select max(month_on) from public_marts.user_subscriptions_monthly)
where lifetime.churn_risk <> 'low'
group by lifetime.company_name
order by revenue_at_risk_usd desc, users_at_risk desc, lifetime.company_name
limit 15
