-- Fails if a request was made to a model that was not released yet.
select
    models.model_id,
    models.released_on,
    min(requests.requested_at) as first_requested_at,
    count(*) as requests_before_release
from {{ tested_rows(ref('stg_api_requests')) }} as requests
inner join {{ ref('stg_models') }} as models on requests.model_id = models.model_id
where requests.requested_on < models.released_on
group by models.model_id, models.released_on
