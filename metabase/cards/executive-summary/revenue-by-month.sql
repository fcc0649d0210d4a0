select
    month_on,
    sum(revenue_usd) as revenue_usd,
    sum(cost_usd) as cost_usd
from public_marts.company_usage_monthly
where is_complete_month
group by month_on
order by month_on
