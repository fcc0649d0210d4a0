-- Fails if a mart by month has another number of requests, tokens or micro-dollars in a month than its days have.
with days as (

    select
        {{ month_of('day_on') }} as month_on,
        sum(requests) as requests,
        sum(total_tokens) as total_tokens,
        sum(cost_usd) as cost_usd
    from {{ ref('user_activity_daily') }}
    group by {{ month_of('day_on') }}

),

months as (

    select
        'user_model_monthly' as mart,
        month_on,
        sum(requests) as requests,
        sum(total_tokens) as total_tokens,
        sum(cost_usd) as cost_usd
    from {{ ref('user_model_monthly') }}
    group by month_on
    union all
    select
        'company_usage_monthly' as mart,
        month_on,
        sum(requests) as requests,
        sum(total_tokens) as total_tokens,
        sum(cost_usd) as cost_usd
    from {{ ref('company_usage_monthly') }}
    group by month_on

)

select
    months.mart,
    coalesce(days.month_on, months.month_on) as month_on,
    days.requests as requests_of_days,
    months.requests,
    days.total_tokens as tokens_of_days,
    months.total_tokens,
    days.cost_usd as cost_of_days_usd,
    months.cost_usd
from days
full outer join months on days.month_on = months.month_on
where
    coalesce(days.requests, 0) is distinct from months.requests
    or coalesce(days.total_tokens, 0) is distinct from coalesce(months.total_tokens, 0)
    or coalesce(days.cost_usd, 0) is distinct from coalesce(months.cost_usd, 0)
