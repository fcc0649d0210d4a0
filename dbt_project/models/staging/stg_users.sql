with users as (

    select * from {{ source('raw_staging', 'users') }}

),

renamed as (

    select
        user_id,
        full_name,
        email,
        company_name,
        industry,
        company_size,
        cast(country_code as text) as country_code,
        billing_tier,
        signed_up_on
    from users

)

select * from renamed
