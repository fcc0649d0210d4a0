with endpoints as (

    select * from {{ ref('stg_endpoints') }}

),

unknown_endpoint as (

    select
        0 as endpoint_id,
        'unknown' as path,
        'unknown' as http_method,
        'unknown' as category,
        cast(null as boolean) as is_streaming

),

all_endpoints as (

    select * from endpoints
    union all
    select * from unknown_endpoint

),

final as (

    select
        {{ generate_surrogate_key(['endpoint_id']) }} as endpoint_key,
        endpoint_id,
        path,
        http_method,
        category,
        is_streaming
    from all_endpoints

)

select * from final
