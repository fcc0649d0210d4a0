-- Fails if a source has another number of requests in the fact than in staging.
with staged as (

    select
        source,
        count(*) as requests
    from {{ tested_rows(ref('stg_api_requests')) }}
    group by source

),

facts as (

    select
        source,
        count(*) as requests
    from {{ tested_rows(ref('fct_api_requests')) }}
    group by source

)

select
    staged.source as staged_source,
    staged.requests as staged_requests,
    facts.source as fact_source,
    facts.requests as fact_requests
from staged
full outer join facts on staged.source = facts.source
where staged.requests is distinct from facts.requests
