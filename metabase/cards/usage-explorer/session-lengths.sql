select
    case
        when requests <= 4 then cast(requests as text)
        when requests <= 9 then '5 to 9'
        else '10 or more'
    end as requests_in_session,
    count(*) as sessions
from public_marts.sessions
where started_on > (select max(day_on) from public_marts.engagement_daily) - {{days}}
group by requests_in_session
order by min(requests)
