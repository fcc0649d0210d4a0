-- Fails if a request was made before its user signed up.
select
    users.user_id,
    users.signed_up_on,
    min(requests.requested_at) as first_requested_at,
    count(*) as requests_before_sign_up
from {{ tested_rows(ref('stg_api_requests')) }} as requests
inner join {{ ref('stg_users') }} as users on requests.user_id = users.user_id
where requests.requested_on < users.signed_up_on
group by users.user_id, users.signed_up_on
