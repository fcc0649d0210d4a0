with users as (

    select * from {{ source('raw_staging', 'users') }}

),

inferred_users as (

    select * from {{ source('raw_staging', 'inferred_users') }}

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
    union all
    select
        user_id,
        user_name as full_name,
        'unknown' as email,
        'unknown' as company_name,
        'unknown' as industry,
        'unknown' as company_size,
        'ZZ' as country_code,
        'unknown' as billing_tier,
        cast(null as date) as signed_up_on
    from inferred_users

)

select * from renamed
