-- Fails if a user's session begins within the inactivity gap after the one before it, so that they are one session.
with followed as (

    select
        user_id,
        started_at,
        ended_at,
        lead(started_at) over (partition by user_id order by started_at) as next_started_at
    from {{ tested_rows(ref('sessions'), 'started_at') }}

)

select *
from followed
where
    next_started_at <= ended_at + interval '{{ var("session_gap_minutes") }} minutes'
    or ended_at < started_at
