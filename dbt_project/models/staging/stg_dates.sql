with dates as (

    select * from {{ source('raw_staging', 'dates') }}

),

renamed as (

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
    from dates

)

select * from renamed
