-- Fails if the total of a request is not its prompt and completion tokens, or is a number where one of them is missing.
select
    source,
    count(*) as requests,
    sum(prompt_tokens) as prompt_tokens,
    sum(completion_tokens) as completion_tokens,
    sum(total_tokens) as total_tokens
from {{ tested_rows(ref('fct_api_requests')) }}
where total_tokens is distinct from prompt_tokens + completion_tokens
group by source
