-- Fails if the price periods of a model overlap, leave a gap, or if more than one is current.
with periods as (

    select
        model_id,
        valid_from,
        valid_to,
        lead(valid_from) over (partition by model_id order by valid_from) as next_valid_from
    from {{ ref('dim_model_prices') }}

)

select *
from periods
where
    (next_valid_from is not null and valid_to is distinct from next_valid_from)
    or valid_from >= valid_to
