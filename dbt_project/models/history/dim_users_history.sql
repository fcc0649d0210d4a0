with versions as (

    -- What the warehouse believes now; the closed rows are what it believed before a reload.
    select * from {{ ref('users_snapshot') }}
    where dbt_valid_to is null

),

users as (

    select * from {{ ref('dim_users') }}

),

known_users as (

    select
        user_id,
        full_name,
        email,
        coalesce(company_name, 'unknown') as company_name,
        coalesce(industry, 'unknown') as industry,
        coalesce(company_size, 'unknown') as company_size,
        coalesce(country_code, 'ZZ') as country_code,
        billing_tier,
        signed_up_on,
        cast(changed_on as timestamp) at time zone 'UTC' as valid_from,
        cast(lead(changed_on) over (partition by user_id order by changed_on) as timestamp)
        at time zone 'UTC' as valid_to
    from versions

),

other_users as (

    -- The unknown member, and those inferred from logs, which tell no changes.
    select
        user_id,
        full_name,
        email,
        company_name,
        industry,
        company_size,
        country_code,
        billing_tier,
        signed_up_on,
        timestamptz '1970-01-01 00:00:00+00' as valid_from,
        cast(null as timestamptz) as valid_to
    from users
    where user_id <= 0

),

all_versions as (

    select * from known_users
    union all
    select * from other_users

),

final as (

    select
        {{ generate_surrogate_key(['user_id', 'extract(epoch from valid_from)']) }} as user_version_key,
        {{ generate_surrogate_key(['user_id']) }} as user_key,
        user_id,
        full_name,
        email,
        company_name,
        industry,
        company_size,
        country_code,
        billing_tier,
        signed_up_on,
        valid_to is null as is_current,
        valid_from,
        valid_to
    from all_versions

)

select * from final
