-- Fails if the current version of a user is not what dim_users says, or one of them lacks the user.
(
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
    from {{ ref('dim_users_history') }}
    where is_current
    except
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
union all
(
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
    except
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
    from {{ ref('dim_users_history') }}
    where is_current
)
