with users as (

    select * from {{ ref('stg_users') }}

),

unknown_user as (

    select
        0 as user_id,
        'unknown' as full_name,
        'unknown' as email,
        'unknown' as company_name,
        'unknown' as industry,
        'unknown' as company_size,
        'ZZ' as country_code,
        'unknown' as billing_tier,
        cast(null as date) as signed_up_on

),

all_users as (

    select * from users
    union all
    select * from unknown_user

),

final as (

    select
        {{ generate_surrogate_key(['user_id']) }} as user_key,
        user_id,
        full_name,
        email,
        company_name,
        industry,
        company_size,
        country_code,
        billing_tier,
        signed_up_on
    from all_users

)

select * from final
