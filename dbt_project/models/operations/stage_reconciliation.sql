{{
    config(
        materialized='incremental',
        unique_key='batch_id',
        post_hook=[
            "delete from {{ this }} where batch_id not in (select batch_id from ({{ current_batches() }}) as batches)",
            "delete from {{ this }} where batch_id in (select batch_id from raw_staging.load_batches"
            ~ " where first_requested_at < (select max(dropped_before) from ops.dropped_requests))",
        ],
    )
}}

with batches as (

    {{ current_batches() | indent(4) }}

),

begun as (

    select
        *,
        max(last_requested_at) over (
            partition by source order by first_requested_at, batch_id rows between unbounded preceding and 1 preceding
        ) as ended_before
    from batches

),

numbered as (

    select
        *,
        count(*) filter (where ended_before is null or first_requested_at > ended_before) over (
            partition by source order by first_requested_at, batch_id rows between unbounded preceding and current row
        ) as span_number
    from begun

),

-- Files added to one source may cover the same time. A row does not say which of them brought it, so that batches which
-- overlap are counted together, and each is given what the others leave.
spans as (

    select
        *,
        min(first_requested_at) over (partition by source, span_number) as span_from,
        max(last_requested_at) over (partition by source, span_number) as span_to,
        cast(sum(rows_loaded) over (partition by source, span_number) as bigint) - rows_loaded as rows_of_others
    from numbered

),

counted as (

    select
        batches.batch_id,
        batches.source,
        batches.file_name,
        batches.rows_read,
        batches.rows_rejected,
        batches.rows_loaded,
        (
            select count(*)
            from {{ ref('stg_api_requests') }} as requests
            where
                requests.source = batches.source
                and requests.requested_at between batches.span_from and batches.span_to
        ) - batches.rows_of_others as rows_in_staging,
        (
            select count(*)
            from {{ ref('fct_api_requests') }} as requests
            where
                requests.source = batches.source
                and requests.requested_at between batches.span_from and batches.span_to
        ) - batches.rows_of_others as rows_in_fact,
        batches.finished_at as loaded_at
    from spans as batches
    -- A batch of which requests were dropped for their age is whole no more, and so are those that overlap with it.
    where
        coalesce(batches.span_from >= (select max(dropped.dropped_before) from ops.dropped_requests as dropped), true)
        {% if is_incremental() %}
            and batches.batch_id > (select coalesce(max(built.batch_id), 0) from {{ this }} as built)
        {% endif %}

),

final as (

    select
        *,
        rows_read = rows_rejected + rows_loaded
        and rows_loaded = rows_in_staging
        and rows_in_staging = rows_in_fact as is_reconciled
    from counted

)

select * from final
