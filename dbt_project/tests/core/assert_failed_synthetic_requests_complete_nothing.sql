-- Fails if a generated request that did not succeed has completion tokens. Real logs may: an answer can break off.
select
    status_code,
    count(*) as failed_requests,
    sum(completion_tokens) as completion_tokens
from {{ tested_rows(ref('stg_api_requests')) }}
where
    source = '{{ var("synthetic_source") }}'
    and status_code <> 200
    and completion_tokens <> 0
group by status_code
