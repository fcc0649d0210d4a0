{{
    config(
        materialized='rebuilt_by_period',
        rebuild_by={'column': 'started_on', 'period': 'session_day'},
        indexes=[{'columns': ['started_on', 'requests_in_session'], 'unique': true}],
    )
}}

-- Its materialization asks for the report time zone there: depends_on: {{ ref('reported_requests') }}
with sessions as (

    select * from {{ ref('sessions') }}
    where {{ rebuilt_range('started_at') }}

),

final as (

    select
        started_on,
        requests as requests_in_session,
        count(*) as sessions,
        cast(sum(duration_s) as numeric(20, 6)) as duration_s
    from sessions
    group by started_on, requests

)

select * from final
