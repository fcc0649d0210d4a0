with periods as (

    {{ price_periods() | indent(4) }}

),

models as (

    select * from {{ ref('dim_models') }}

),

final as (

    select
        periods.price_key,
        models.model_key,
        models.model_id,
        models.model_name,
        cast(periods.input_usd_per_mtok as numeric(10, 4)) as input_usd_per_mtok,
        cast(periods.cache_read_usd_per_mtok as numeric(10, 4)) as cache_read_usd_per_mtok,
        cast(periods.cache_write_usd_per_mtok as numeric(10, 4)) as cache_write_usd_per_mtok,
        cast(periods.output_usd_per_mtok as numeric(10, 4)) as output_usd_per_mtok,
        cast(periods.reasoning_usd_per_mtok as numeric(10, 4)) as reasoning_usd_per_mtok,
        periods.valid_to is null as is_current,
        periods.valid_from,
        periods.valid_to
    from periods
    inner join models on periods.model_id = models.model_id

)

select * from final
