with models as (

    select * from {{ source('raw_staging', 'models') }}

),

inferred_models as (

    select * from {{ source('raw_staging', 'inferred_models') }}

),

renamed as (

    select
        model_id,
        model_name,
        provider,
        coalesce(family, 'unknown') as family,
        context_window,
        input_usd_per_mtok,
        output_usd_per_mtok,
        is_deprecated,
        released_on
    from models
    union all
    select
        model_id,
        model_name,
        coalesce(provider, 'unknown') as provider,
        'unknown' as family,
        cast(null as integer) as context_window,
        cast(null as numeric(10, 4)) as input_usd_per_mtok,
        cast(null as numeric(10, 4)) as output_usd_per_mtok,
        cast(null as boolean) as is_deprecated,
        cast(null as date) as released_on
    from inferred_models

)

select * from renamed
