select
    month_on,
    sum(unpriced_requests) as unpriced_requests
from public_marts.company_usage_monthly
group by month_on
order by month_on
