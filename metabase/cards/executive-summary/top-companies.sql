select
    company_name,
    requests,
    cost_usd,
    revenue_usd,
    margin_usd,
    cost_growth_ratio
from public_marts.company_usage_monthly
where month_on = (select max(month_on) from public_marts.company_usage_monthly where is_complete_month)
order by cost_usd desc nulls last, company_name
limit 10
