select
    day_on,
    daily_active_users,
    weekly_active_users,
    monthly_active_users
from public_marts.engagement_daily
order by day_on desc
limit 365
