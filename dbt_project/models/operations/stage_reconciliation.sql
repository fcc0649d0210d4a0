{{
    config(
        materialized='incremental',
        unique_key='batch_id',
        post_hook="delete from {{ this }} where batch_id not in (select batch_id from ({{ current_batches() }}) as batches)",
    )
}}

with batches as (

    {{ current_batches() | indent(4) }}

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
                and requests.requested_at between batches.first_requested_at and batches.last_requested_at
        ) as rows_in_staging,
        (
            select count(*)
            from {{ ref('fct_api_requests') }} as requests
            where
                requests.source = batches.source
                and requests.requested_at between batches.first_requested_at and batches.last_requested_at
        ) as rows_in_fact,
        batches.finished_at as loaded_at
    from batches
    {% if is_incremental() %}
        where batches.batch_id > (select coalesce(max(built.batch_id), 0) from {{ this }} as built)
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
