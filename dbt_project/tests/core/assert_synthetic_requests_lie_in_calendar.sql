-- Fails if a generated request lies outside the window that was asked for, which is what the generated calendar holds.
select
    requests.requested_on,
    count(*) as requests_outside_window
from {{ tested_rows(ref('stg_api_requests')) }} as requests
left join {{ ref('stg_dates') }} as dates on requests.requested_on = dates.full_date
where
    requests.source = '{{ var("synthetic_source") }}'
    and dates.full_date is null
group by requests.requested_on
