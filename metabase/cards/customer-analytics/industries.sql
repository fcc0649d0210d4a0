select
    coalesce(industry, 'unknown') as industry,
    sum(requests) as requests
from public_marts.company_usage_monthly
group by 1
order by requests desc, industry
limit 12
