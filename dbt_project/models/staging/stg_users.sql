with users as (

    select * from {{ source('raw_staging', 'users') }}

),

renamed as (

    select
        user_id,
        full_name,
        email,
        coalesce(company_name, 'unknown') as company_name,
        coalesce(industry, 'unknown') as industry,
        coalesce(company_size, 'unknown') as company_size,
        coalesce(cast(country_code as text), 'ZZ') as country_code,
        billing_tier,
        signed_up_on
    from users

)

select * from renamed
