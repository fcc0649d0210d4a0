-- Fails if joining the snowflake's users to their companies and tiers does not give back the star's users.
with snowflake_users as (

    select
        users.user_id,
        users.full_name,
        users.email,
        companies.company_name,
        companies.industry,
        companies.company_size,
        users.country_code,
        tiers.billing_tier,
        users.signed_up_on
    from {{ ref('dim_users_sf') }} as users
    inner join {{ ref('dim_companies') }} as companies on users.company_key = companies.company_key
    inner join {{ ref('dim_billing_tiers') }} as tiers on users.billing_tier_key = tiers.billing_tier_key

),

star_users as (

    select
        user_id,
        full_name,
        email,
        company_name,
        industry,
        company_size,
        country_code,
        billing_tier,
        signed_up_on
    from {{ ref('dim_users') }}

)

select *
from star_users
except
select *
from snowflake_users
