select
    cast(date_trunc('month', day_on) as date) as month_on,
    sum(new_users) as new_users
from public_marts.engagement_daily
group by month_on
order by month_on
