{{
    config(
        materialized='rebuilt_by_period',
        rebuild_by={'column': 'started_at', 'period': 'session'},
        indexes=[{'columns': ['started_on', 'started_at', 'ended_at'], 'type': 'brin'}],
    )
}}

with requests as (

    select * from {{ ref('reported_requests') }}
    where
        user_id <> 0
        and {{ rebuilt_range('requested_at') }}

),

gaps as (

    select
        *,
        requested_at - lag(requested_at) over (partition by user_id order by requested_at) as gap
    from requests

),

numbered as (

    select
        *,
        count(*) filter (where gap is null or gap > interval '{{ var("session_gap_minutes") }} minutes')
            over (partition by user_id order by requested_at) as session_number
    from gaps

),

final as (

    select
        user_id,
        {{ report_day('min(requested_at)') }} as started_on,
        count(*) as requests,
        count(*) filter (where is_error) as errors,
        count(distinct model_name) as models,
        cast(sum(total_tokens) as bigint) as total_tokens,
        cast(sum(cost_usd) as numeric(20, 6)) as cost_usd,
        cast(extract(epoch from max(requested_at) - min(requested_at)) as numeric(14, 6)) as duration_s,
        min(requested_at) as started_at,
        max(requested_at) as ended_at
    from numbered
    group by user_id, session_number
    order by started_at

)

select * from final
