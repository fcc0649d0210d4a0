with dates as (

    select * from {{ source('raw_staging', 'dates') }}

),

renamed as (

    select
        date_id,
        full_date,
        cast(year as integer) as year,
        cast(quarter as integer) as quarter,
        cast(month as integer) as month,
        month_name,
        cast(week_of_year as integer) as week_of_year,
        cast(day_of_month as integer) as day_of_month,
        cast(day_of_week as integer) as day_of_week,
        day_name,
        is_weekend,
        is_month_end
    from dates

)

select * from renamed
