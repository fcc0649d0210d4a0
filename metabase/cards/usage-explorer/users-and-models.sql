with last_month as (
    select
        user_id,
        model_name,
        requests,
        sum(requests) over (partition by user_id) as user_requests
    from public_marts.user_model_monthly
    where month_on = (select max(month_on) from public_marts.user_model_monthly) and user_id <> 0
),

ranked as (
    select
        *,
        dense_rank() over (order by user_requests desc, user_id) as user_rank
    from last_month
)

select
    'user ' || user_id as "user",
    model_name,
    requests
from ranked
where user_rank <= 15
order by user_rank, model_name
