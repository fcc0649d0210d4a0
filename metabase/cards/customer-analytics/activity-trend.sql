select
    activity_trend,
    count(*) as users
from public_marts.user_lifetime
group by activity_trend
order by users desc, activity_trend
