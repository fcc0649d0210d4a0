with versions as (

    -- What the warehouse believes now; the closed rows are what it believed before a reload.
    select * from {{ ref('models_snapshot') }}
    where dbt_valid_to is null

),

models as (

    select * from {{ ref('dim_models') }}

),

known_models as (

    select
        model_id,
        model_name,
        provider,
        coalesce(family, 'unknown') as family,
        context_window,
        input_usd_per_mtok,
        output_usd_per_mtok,
        is_deprecated,
        released_on,
        cast(changed_on as timestamp) at time zone 'UTC' as valid_from,
        cast(lead(changed_on) over (partition by model_id order by changed_on) as timestamp)
        at time zone 'UTC' as valid_to
    from versions

),

other_models as (

    -- The unknown member, and those inferred from logs, which tell no changes.
    select
        model_id,
        model_name,
        provider,
        family,
        context_window,
        input_usd_per_mtok,
        output_usd_per_mtok,
        is_deprecated,
        released_on,
        timestamptz '1970-01-01 00:00:00+00' as valid_from,
        cast(null as timestamptz) as valid_to
    from models
    where model_id <= 0

),

all_versions as (

    select * from known_models
    union all
    select * from other_models

),

final as (

    select
        {{ generate_surrogate_key(['model_id', 'extract(epoch from valid_from)']) }} as model_version_key,
        {{ generate_surrogate_key(['model_id']) }} as model_key,
        model_id,
        model_name,
        provider,
        family,
        context_window,
        input_usd_per_mtok,
        output_usd_per_mtok,
        is_deprecated,
        released_on,
        valid_to is null as is_current,
        valid_from,
        valid_to
    from all_versions

)

select * from final
