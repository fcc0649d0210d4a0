with last_month as (
    select
        usage.user_id,
        users.user_label,
        usage.model_name,
        sum(usage.requests) as requests,
        sum(sum(usage.requests)) over (partition by usage.user_id) as user_requests
    from public_marts.user_model_monthly as usage
    inner join public_marts.user_lifetime as users on usage.user_id = users.user_id
    where usage.month_on = (select max(month_on) from public_marts.user_model_monthly)
    group by usage.user_id, users.user_label, usage.model_name
),

ranked as (
    select
        *,
        dense_rank() over (order by user_requests desc, user_id) as user_rank
    from last_month
)

select
    -- Two users of one name stay two.
    user_label
    || case when count(*) over (partition by user_label, model_name) > 1 then ' ' || user_id else '' end as "user",
    model_name,
    requests
from ranked
where user_rank <= 15
order by user_rank, model_name
