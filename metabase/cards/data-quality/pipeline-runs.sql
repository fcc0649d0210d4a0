select
    occurred_at as ended_at,
    pipeline_id,
    status,
    duration_sec as duration_s
from ops.pipeline_events
where event_name = 'pipeline_run_end'
order by occurred_at desc
limit 20
