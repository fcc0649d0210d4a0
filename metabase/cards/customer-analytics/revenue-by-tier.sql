select
    month_on,
    billing_tier,
    sum(revenue_usd) as revenue_usd
from public_marts.user_subscriptions_monthly
where billing_tier <> 'free'
group by month_on, billing_tier
order by month_on, billing_tier
