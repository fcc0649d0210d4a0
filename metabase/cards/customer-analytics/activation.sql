select
    step,
    sum(users) as users
from public_marts.activation_funnel
group by step_number, step
order by step_number
