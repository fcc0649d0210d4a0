with inferred_teams as (

    select * from {{ source('raw_staging', 'inferred_teams') }}

),

final as (

    select
        team_id,
        source,
        team_name
    from inferred_teams
    union all
    select
        0 as team_id,
        'unknown' as source,
        'unknown' as team_name

)

select * from final
