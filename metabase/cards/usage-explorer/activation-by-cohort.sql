select
    cohort_month_on,
    sum(users) / sum(signed_up_users) as active_ratio
from public_marts.activation_funnel
where step_number = 5 [[and billing_tier in ({{tier}})]]
group by cohort_month_on
order by cohort_month_on
