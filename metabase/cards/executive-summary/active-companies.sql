select
    month_on,
    count(*) filter (where requests > 0) as companies
from public_marts.company_usage_monthly
where is_complete_month and company_name <> 'unknown'
group by month_on
order by month_on
