-- Fails if a day is missing between the first and the last day of dim_date.
with days as (

    select
        full_date,
        lead(full_date) over (order by full_date) as next_date
    from {{ ref('dim_date') }}
    where full_date is not null

)

select
    full_date,
    next_date,
    next_date - full_date - 1 as missing_days
from days
where next_date - full_date > 1
