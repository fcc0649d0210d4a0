with dates as (

    select * from {{ ref('stg_dates') }}

),

requests as (

    select * from {{ ref('stg_api_requests') }}

),

-- One aggregate a side, so that requests are read in parallel; least and greatest pass over a side without days.
dates_span as (

    select
        min(full_date) as first_day,
        max(full_date) as last_day
    from dates

),

requests_span as (

    select
        min(requested_on) as first_day,
        max(requested_on) as last_day
    from requests

),

span as (

    select
        least(dates_span.first_day, requests_span.first_day) as first_day,
        greatest(dates_span.last_day, requests_span.last_day) as last_day
    from dates_span
    cross join requests_span

),

-- Imported logs reach outside the generated calendar, which may even be empty. Every day from the first to the last one
-- seen gets a row, so that a join loses no request and a time axis has no hole.
missing_days as (

    select span.first_day + days.number as full_date
    from span
    cross join lateral generate_series(0, span.last_day - span.first_day) as days (number)
    left join dates on span.first_day + days.number = dates.full_date
    where dates.full_date is null

),

derived_dates as (

    select
        cast(to_char(full_date, 'YYYYMMDD') as integer) as date_id,
        full_date,
        cast(extract(year from full_date) as integer) as year,
        cast(extract(quarter from full_date) as integer) as quarter,
        cast(extract(month from full_date) as integer) as month,
        to_char(full_date, 'FMMonth') as month_name,
        cast(extract(week from full_date) as integer) as week_of_year,
        cast(extract(day from full_date) as integer) as day_of_month,
        cast(extract(isodow from full_date) as integer) as day_of_week,
        to_char(full_date, 'FMDay') as day_name,
        extract(isodow from full_date) >= 6 as is_weekend,
        extract(day from full_date + 1) = 1 as is_month_end
    from missing_days

),

unknown_date as (

    select
        0 as date_id,
        cast(null as date) as full_date,
        cast(null as integer) as year,
        cast(null as integer) as quarter,
        cast(null as integer) as month,
        'unknown' as month_name,
        cast(null as integer) as week_of_year,
        cast(null as integer) as day_of_month,
        cast(null as integer) as day_of_week,
        'unknown' as day_name,
        cast(null as boolean) as is_weekend,
        cast(null as boolean) as is_month_end

),

all_dates as (

    select * from dates
    union all
    select * from derived_dates
    union all
    select * from unknown_date

),

final as (

    select
        {{ generate_surrogate_key(['date_id']) }} as date_key,
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
    from all_dates

)

select * from final
