{{ config(indexes=[{'columns': ['month_on', 'user_id'], 'unique': true}]) }}

with users as (

    -- Users whom a real log names have no subscription with anybody.
    select * from {{ ref('dim_users_history') }}
    where user_id > 0

),

tiers as (

    select * from {{ ref('dim_billing_tiers') }}

),

activity as (

    select * from {{ ref('user_activity_daily') }}
    where user_id <> 0

),

span as (

    select
        min(day_on) as first_day_on,
        max(day_on) as last_day_on
    from activity

),

months as (

    select
        cast(months.month_at as date) as month_on,
        (months.month_at + interval '1 month') at time zone {{ report_tz() }} as ended_at
    from span
    cross join lateral generate_series(
        date_trunc('month', cast(span.first_day_on as timestamp)), span.last_day_on, interval '1 month'
    ) as months (month_at)

),

final as (

    select
        months.month_on,
        users.user_id,
        users.company_name,
        users.billing_tier,
        cast(tiers.monthly_price_usd as numeric(20, 6)) as revenue_usd
    from months
    -- The version that held when the month ended; nobody has one before signing up.
    inner join users
        on
            months.ended_at > users.valid_from
            and (users.valid_to is null or months.ended_at <= users.valid_to)
    inner join tiers on users.billing_tier = tiers.billing_tier

)

select * from final
