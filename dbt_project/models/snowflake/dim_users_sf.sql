with users as (

    select * from {{ ref('dim_users') }}

),

companies as (

    select * from {{ ref('dim_companies') }}

),

billing_tiers as (

    select * from {{ ref('dim_billing_tiers') }}

),

final as (

    select
        users.user_key,
        companies.company_key,
        billing_tiers.billing_tier_key,
        users.user_id,
        users.full_name,
        users.email,
        users.country_code,
        users.signed_up_on
    from users
    left join companies on users.company_name = companies.company_name
    left join billing_tiers on users.billing_tier = billing_tiers.billing_tier

)

select * from final
