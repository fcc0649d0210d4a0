-- Fails if is_error or is_rate_limited contradicts the status, or is set where there is no status.
select
    source,
    status_code,
    is_error,
    is_rate_limited,
    count(*) as requests
from {{ tested_rows(ref('fct_api_requests')) }}
where
    is_error is distinct from (status_code between 400 and 599)
    or is_rate_limited is distinct from (status_code = 429)
group by source, status_code, is_error, is_rate_limited
