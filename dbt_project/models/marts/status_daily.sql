{{
    config(
        materialized='rebuilt_by_period',
        rebuild_by={'column': 'day_on', 'period': 'day'},
        indexes=[{'columns': ['day_on', 'model_name', 'provider', 'path', 'source', 'status_code'], 'unique': true}],
    )
}}

with requests as (

    select * from {{ ref('reported_requests') }}
    where {{ rebuilt_range('requested_at') }}

),

final as (

    select
        day_on,
        model_name,
        provider,
        path,
        source,
        status_code,
        case
            when status_code is null then 'not reported'
            when status_code = 429 then 'rate limited'
            when status_code >= 500 then 'server error'
            when status_code >= 400 then 'client error'
            else 'success'
        end as status_class,
        count(*) as requests,
        count(is_flagged) as moderated,
        count(*) filter (where is_flagged) as flagged
    from requests
    group by day_on, model_name, provider, path, source, status_code

)

select * from final
