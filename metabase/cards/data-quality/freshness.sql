with looked as (
    select distinct on (table_name)
        table_name,
        last_updated as last_updated_at,
        round(extract(epoch from occurred_at - last_updated) / 3600, 1) as age_hours,
        expected_freshness_hours as expected_hours
    from ops.pipeline_events
    where event_name = 'data_freshness'
    order by table_name, occurred_at desc
)

select
    table_name,
    last_updated_at,
    age_hours,
    expected_hours,
    last_updated_at is null or age_hours > expected_hours as is_late
from looked
order by is_late desc, table_name
limit 50
