select
    company_name,
    industry,
    users,
    requests,
    revenue_usd,
    cost_usd,
    margin_usd,
    requests_growth_ratio
from public_marts.company_usage_monthly
where month_on = (select max(month_on) from public_marts.company_usage_monthly where is_complete_month)
order by margin_usd desc nulls last, company_name
limit 15
