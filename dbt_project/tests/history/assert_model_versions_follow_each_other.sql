-- Fails if the versions of a model overlap, leave a gap, or if not exactly one of them is current.
with versions as (

    select
        model_id,
        valid_from,
        valid_to,
        lead(valid_from) over (partition by model_id order by valid_from) as next_valid_from,
        count(*) filter (where is_current) over (partition by model_id) as current_versions
    from {{ ref('dim_models_history') }}

)

select *
from versions
where
    valid_to is distinct from next_valid_from
    or valid_from >= valid_to
    or current_versions <> 1
