with users as (

    select * from {{ ref('dim_users') }}

),

companies as (

    select
        -- No source numbers its companies. The user id nearest to 0 among its users identifies one, and gives the
        -- unknown user's company the id 0 like every other unknown member.
        (array_agg(user_id order by abs(user_id), user_id desc))[1] as company_id,
        company_name,
        min(industry) as industry,
        min(company_size) as company_size
    from users
    group by company_name

),

final as (

    select
        {{ generate_surrogate_key(['company_name']) }} as company_key,
        company_id,
        company_name,
        industry,
        company_size
    from companies

)

select * from final
