select
    day_on,
    stickiness_ratio
from public_marts.engagement_daily
order by day_on desc
limit 365
