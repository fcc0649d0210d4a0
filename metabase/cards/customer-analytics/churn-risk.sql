select
    billing_tier,
    churn_risk,
    count(*) as users
from public_marts.user_lifetime
group by billing_tier, churn_risk
order by billing_tier, churn_risk
