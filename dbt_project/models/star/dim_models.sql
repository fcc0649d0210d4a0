with models as (

    select * from {{ ref('stg_models') }}

),

unknown_model as (

    select
        0 as model_id,
        'unknown' as model_name,
        'unknown' as provider,
        'unknown' as family,
        cast(null as integer) as context_window,
        cast(null as numeric(10, 4)) as input_usd_per_mtok,
        cast(null as numeric(10, 4)) as output_usd_per_mtok,
        cast(null as boolean) as is_deprecated,
        cast(null as date) as released_on

),

all_models as (

    select * from models
    union all
    select * from unknown_model

),

final as (

    select
        {{ generate_surrogate_key(['model_id']) }} as model_key,
        model_id,
        model_name,
        provider,
        family,
        context_window,
        input_usd_per_mtok,
        output_usd_per_mtok,
        is_deprecated,
        released_on
    from all_models

)

select * from final
