with endpoints as (

    select * from {{ source('raw_staging', 'endpoints') }}

),

renamed as (

    select
        endpoint_id,
        path,
        http_method,
        category,
        is_streaming
    from endpoints

)

select * from renamed
