-- Fails if two rows of the price list hold for one model and kind of token on one day, or if a day between two of them
-- has no price.
with prices as (

    select
        model_name,
        token_kind,
        valid_from,
        valid_to,
        lead(valid_from) over (partition by model_name, token_kind order by valid_from) as next_valid_from
    from {{ ref('model_prices') }}

)

select *
from prices
where
    (next_valid_from is not null and valid_to is distinct from next_valid_from)
    or valid_from >= valid_to
