{# Returns a query of the batches whose rows the warehouse holds: of each source the last replacement and what followed. #}
{% macro current_batches() %}
    select batches.*
    from {{ source('raw_staging', 'load_batches') }} as batches
    where
        batches.status = 'done'
        and batches.batch_id >= (
            select coalesce(max(replaced.batch_id), 0)
            from {{ source('raw_staging', 'load_batches') }} as replaced
            where replaced.source = batches.source and replaced.status = 'done' and replaced.mode = 'replace'
        )
{% endmacro %}
