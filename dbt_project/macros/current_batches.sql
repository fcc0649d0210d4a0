{# Returns a query of the batches whose rows the warehouse holds: of each source the last replacement and what followed. #}
{% macro current_batches() %}
    select batches.*
    from {{ source('raw_staging', 'load_batches') }} as batches
    where
        batches.status = 'done'
        -- A removal holds nothing, and is of no file.
        and not batches.arguments ? 'removed'
        and batches.batch_id >= (
            select coalesce(max(replaced.batch_id), 0)
            from {{ source('raw_staging', 'load_batches') }} as replaced
            where replaced.source = batches.source and replaced.status = 'done' and replaced.mode = 'replace'
        )
{% endmacro %}
