select
    billing_tier,
    count(*) as users,
    count(*) filter (where silent_days < 30) as active_users
from public_marts.user_lifetime
group by billing_tier
order by users desc, billing_tier
