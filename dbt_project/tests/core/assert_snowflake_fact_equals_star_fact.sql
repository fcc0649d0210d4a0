-- Fails if the two facts disagree on any source's number of requests or sum of a measure.
with star as (

    select
        source,
        count(*) as requests,
        sum(total_tokens) as total_tokens,
        sum(latency_ms) as latency_ms,
        sum(cost_usd) as cost_usd
    from {{ tested_rows(ref('fct_api_requests')) }}
    group by source

),

snowflake as (

    select
        source,
        count(*) as requests,
        sum(total_tokens) as total_tokens,
        sum(latency_ms) as latency_ms,
        sum(cost_usd) as cost_usd
    from {{ tested_rows(ref('fct_api_requests_sf')) }}
    group by source

)

select
    star.*,
    snowflake.*
from star
full outer join snowflake on star.source = snowflake.source
where
    star.source is null
    or snowflake.source is null
    or star.requests <> snowflake.requests
    or star.total_tokens is distinct from snowflake.total_tokens
    or star.latency_ms is distinct from snowflake.latency_ms
    or star.cost_usd is distinct from snowflake.cost_usd
