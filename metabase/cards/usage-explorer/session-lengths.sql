with days as (
    select
        requests_in_session as length,
        sessions
    from public_marts.sessions_daily
    where started_on > (select max(day_on) from public_marts.engagement_daily) - {{days}}
)

select
    case
        when length <= 4 then cast(length as text)
        when length <= 9 then '5 to 9'
        else '10 or more'
    end as requests_in_session,
    sum(sessions) as sessions
from days
group by requests_in_session
order by min(length)
