-- Fails if users of one company disagree on its industry or size, so that dim_companies had to choose.
select
    company_name,
    count(distinct industry) as industries,
    count(distinct company_size) as company_sizes
from {{ ref('stg_users') }}
where company_name <> 'unknown' and user_id > 0
group by company_name
having count(distinct industry) > 1 or count(distinct company_size) > 1
