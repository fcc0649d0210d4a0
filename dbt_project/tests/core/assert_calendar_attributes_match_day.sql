-- Fails if a column of dim_date is not what its day says. Generated days bring theirs along, others are derived in SQL:
-- this is what makes the two agree.
select
    date_id,
    full_date,
    year,
    quarter,
    month,
    month_name,
    week_of_year,
    day_of_month,
    day_of_week,
    day_name,
    is_weekend,
    is_month_end
from {{ ref('dim_date') }}
where
    full_date is not null
    and (
        date_id is distinct from cast(to_char(full_date, 'YYYYMMDD') as integer)
        or year is distinct from extract(year from full_date)
        or quarter is distinct from extract(quarter from full_date)
        or month is distinct from extract(month from full_date)
        or month_name is distinct from to_char(full_date, 'FMMonth')
        or week_of_year is distinct from extract(week from full_date)
        or day_of_month is distinct from extract(day from full_date)
        or day_of_week is distinct from extract(isodow from full_date)
        or day_name is distinct from to_char(full_date, 'FMDay')
        or is_weekend is distinct from (extract(isodow from full_date) in (6, 7))
        or is_month_end is distinct from (extract(month from full_date + 1) <> extract(month from full_date))
    )
