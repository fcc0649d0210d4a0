select
    to_char(cohort_month_on, 'YYYY-MM') as cohort_month,
    months_since_sign_up,
    retention_ratio
from public_marts.retention_monthly
where
    is_complete_month
    and cohort_month_on > (select max(cohort_month_on) from public_marts.retention_monthly) - interval '12 months'
order by cohort_month_on, months_since_sign_up
