select
    day_on,
    sessions,
    single_request_sessions
from public_marts.engagement_daily
where day_on > (select max(day_on) from public_marts.engagement_daily) - {{days}}
order by day_on
