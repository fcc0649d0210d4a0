-- Fails if a request was made for a team that dim_teams does not have.
select
    requests.source,
    requests.team_id,
    count(*) as requests
from {{ tested_rows(ref('fct_api_requests')) }} as requests
left join {{ ref('dim_teams') }} as teams on requests.team_id = teams.team_id
where teams.team_id is null
group by requests.source, requests.team_id
