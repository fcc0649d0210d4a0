select
    step,
    sum(users) as users
from public_marts.activation_funnel
where true [[and billing_tier in ({{tier}})]]
group by step_number, step
order by step_number
