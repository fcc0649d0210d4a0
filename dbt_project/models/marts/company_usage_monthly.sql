{{ config(indexes=[{'columns': ['month_on', 'company_name'], 'unique': true}]) }}

with activity as (

    select * from {{ ref('user_activity_daily') }}

),

subscriptions as (

    select * from {{ ref('user_subscriptions_monthly') }}

),

companies as (

    -- From the history, because a company whose users have all left it has still used what it used.
    select distinct on (company_name)
        company_name,
        industry,
        company_size
    from {{ ref('dim_users_history') }}
    order by company_name asc, valid_from desc, user_id asc

),

last_day as (

    select max(day_on) as last_day_on from {{ ref('user_activity_daily') }}

),

usage as (

    select
        {{ month_of('day_on') }} as month_on,
        company_name,
        count(distinct nullif(user_id, 0)) as active_users,
        sum(requests) as requests,
        sum(total_tokens) as total_tokens,
        sum(cost_usd) as cost_usd,
        sum(errors) as errors,
        sum(unpriced_requests) as unpriced_requests
    from activity
    group by {{ month_of('day_on') }}, company_name

),

billed as (

    select
        month_on,
        company_name,
        count(*) as users,
        sum(revenue_usd) as revenue_usd
    from subscriptions
    group by month_on, company_name

),

joined as (

    select
        coalesce(usage.month_on, billed.month_on) as month_on,
        coalesce(usage.company_name, billed.company_name) as company_name,
        coalesce(billed.users, usage.active_users, 0) as users,
        coalesce(usage.active_users, 0) as active_users,
        cast(coalesce(usage.requests, 0) as bigint) as requests,
        cast(case when usage.company_name is null then 0 else usage.total_tokens end as bigint) as total_tokens,
        cast(case when usage.company_name is null then 0 else usage.cost_usd end as numeric(20, 6)) as cost_usd,
        cast(billed.revenue_usd as numeric(20, 6)) as revenue_usd,
        cast(coalesce(usage.errors, 0) as bigint) as errors,
        cast(coalesce(usage.unpriced_requests, 0) as bigint) as unpriced_requests
    from usage
    full outer join billed on usage.month_on = billed.month_on and usage.company_name = billed.company_name

),

final as (

    select
        joined.month_on,
        joined.company_name,
        companies.industry,
        companies.company_size,
        joined.users,
        joined.active_users,
        joined.requests,
        joined.total_tokens,
        joined.cost_usd,
        joined.revenue_usd,
        cast(joined.revenue_usd - joined.cost_usd as numeric(20, 6)) as margin_usd,
        joined.errors,
        joined.unpriced_requests,
        {{ growth_ratio('requests') }} as requests_growth_ratio,
        {{ growth_ratio('cost_usd') }} as cost_growth_ratio,
        {{ growth_ratio('revenue_usd') }} as revenue_growth_ratio,
        joined.month_on + interval '1 month' <= last_day.last_day_on + 1 as is_complete_month
    from joined
    cross join last_day
    left join companies on joined.company_name = companies.company_name
    window
        previous as (
            partition by joined.company_name order by joined.month_on
            range between interval '1 month' preceding and interval '1 month' preceding
        )

)

select * from final
