with models as (

    select * from {{ source('raw_staging', 'models') }}

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

)

select * from renamed
