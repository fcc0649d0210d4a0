-- Fails if a request has no cost although model, price and tokens are known, or has one although they are not.
select
    requests.source,
    models.model_name,
    count(*) as requests,
    count(requests.cost_usd) as requests_with_cost
from {{ tested_rows(ref('fct_api_requests')) }} as requests
inner join {{ ref('dim_models') }} as models on requests.model_key = models.model_key
where
    case
        when models.model_id > 0
            then (requests.cost_usd is null) is distinct from (
                coalesce(requests.status_code, 200) = 200
                and (
                    requests.total_tokens is null
                    or models.input_usd_per_mtok is null
                    or models.output_usd_per_mtok is null
                )
            )
        -- Of a real log: without a price of ours it costs what the log says.
        else requests.price_key is null and requests.cost_usd is distinct from round(requests.cost_reported_usd, 6)
    end
group by requests.source, models.model_name
