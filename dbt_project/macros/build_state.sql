{#
  What has been built from what, so that a build does only what changed, and a killed one does it again.

  ops.built_batches   one row per fact and source: the last batch of raw_staging.load_batches in it
  ops.fact_changes    one row per range of time that a build of fct_api_requests rewrote, in order
  ops.applied_changes one row per model built from the fact: the last of those changes in it, and its code's checksum
  ops.applied_prices  the price periods the fact was priced with
  ops.dropped_requests  the time before which requests were dropped for their age, where any were (pipeline/retention.py)
  ops.tested_changes  the last change that a whole build tested; ops.test_window: the time from which on that is not so

  Each is written in the transaction that writes the table it speaks of.
#}

{% macro create_build_state() %}
    -- The profile's role is set when a connection opens, and a rollback on dbt's own connection takes it back.
    {% if target.role %}set role {{ target.role }};{% endif %}
    create table if not exists ops.built_batches (
        model_name text not null,
        source text not null,
        batch_id bigint not null,
        primary key (model_name, source)
    );
    create table if not exists ops.fact_changes (
        change_id bigint generated always as identity primary key,
        changed_from timestamptz not null,
        changed_to timestamptz not null,
        built_at timestamptz not null default now()
    );
    create table if not exists ops.applied_changes (
        model_name text primary key,
        change_id bigint not null,
        code_md5 text not null
    );
    create table if not exists ops.applied_prices (
        price_key uuid not null,
        model_id integer not null,
        input_usd_per_mtok numeric,
        cache_read_usd_per_mtok numeric,
        cache_write_usd_per_mtok numeric,
        output_usd_per_mtok numeric,
        reasoning_usd_per_mtok numeric,
        valid_from timestamptz not null,
        valid_to timestamptz
    );
    create table if not exists ops.dropped_requests (dropped_before timestamptz not null);
    create table if not exists ops.tested_changes (change_id bigint not null);
    insert into ops.tested_changes
    select 0
    where not exists (select from ops.tested_changes);
    create or replace view ops.test_window as
    select
        least(
            (
                select min(changed_from)
                from ops.fact_changes
                where change_id > (select max(change_id) from ops.tested_changes)
            ),
            (
                select min(batches.first_requested_at)
                from raw_staging.load_batches as batches
                left join ops.built_batches as built
                    on batches.source = built.source and built.model_name = 'fct_api_requests'
                where batches.status = 'done' and batches.batch_id > coalesce(built.batch_id, 0)
            )
        ) as tested_from;
{% endmacro %}

{#
  Returns the ranges of requested_at to rebuild in a fact: a list of {changed_from, changed_to} (both ends included),
  or none when all of it must be built. Ranges come from batches loaded since, and from prices that changed for requests
  already in the fact.
#}
{% macro pending_fact_ranges(relation, code_md5, last_batch) %}
    {%- set known = run_query(
        "select 1 from ops.applied_changes where model_name = '" ~ relation.identifier ~ "' and code_md5 = '" ~ code_md5 ~ "'"
    ) -%}
    {%- if not known.rows -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set ranges %}
        with batches as (

            select
                batch_id,
                source,
                mode,
                first_requested_at,
                last_requested_at
            from {{ source('raw_staging', 'load_batches') }}
            where status = 'done' and batch_id <= {{ last_batch }}

        ),

        pending as (

            select batches.*
            from batches
            left join ops.built_batches as built
                on batches.source = built.source and built.model_name = '{{ relation.identifier }}'
            where batches.batch_id > coalesce(built.batch_id, 0)

        ),

        -- A replaced source takes its old rows with it, wherever they were.
        replaced as (

            select
                source,
                min(first_requested_at) as changed_from,
                max(last_requested_at) as changed_to
            from batches
            where source in (select source from pending where mode = 'replace')
            group by source

        ),

        appended as (

            select
                first_requested_at as changed_from,
                last_requested_at as changed_to
            from pending
            where source not in (select source from replaced)

        ),

        repriced as (

            select
                greatest(prices.repriced_from, built.first_requested_at) as changed_from,
                built.last_requested_at as changed_to
            from ({{ repriced_from() }}) as prices
            cross join lateral (
                select
                    min(requested_at) as first_requested_at,
                    max(requested_at) as last_requested_at
                from {{ relation }}
                where requested_at >= prices.repriced_from
            ) as built
            where built.first_requested_at is not null

        )

        select changed_from, changed_to from replaced where changed_from is not null
        union
        select changed_from, changed_to from appended where changed_from is not null
        union
        select changed_from, changed_to from repriced where changed_from is not null
    {%- endset -%}
    {{ return(ranges_of(ranges)) }}
{% endmacro %}

{#
  Returns the ranges of requested_at that the fact rewrote since `relation` was last built from it, or none when all of
  `relation` must be built. `code_md5` is a checksum of the model's code: other code, other table.
#}
{% macro pending_ranges_of_fact(relation, code_md5) %}
    {%- set state = run_query(
        "select change_id from ops.applied_changes where model_name = '" ~ relation.identifier
        ~ "' and code_md5 = '" ~ code_md5 ~ "'"
    ) -%}
    {%- if not state.rows -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set ranges = ranges_of(
        "select distinct changed_from, changed_to from ops.fact_changes where change_id > " ~ state.rows[0][0]
    ) -%}
    {{ return(none if ranges | selectattr('changed_from', 'equalto', '-infinity') | list else ranges) }}
{% endmacro %}

{# A checksum of a model's compiled code: other code, other table. The database's name is not part of it. #}
{% macro code_checksum(code) %}
    {{ return(local_md5(code | replace('"' ~ target.database ~ '".', ''))) }}
{% endmacro %}

{# Returns the newest batch that is loaded whole: what a build takes note of, however long it takes. #}
{% macro last_loaded_batch() %}
    {%- set found = run_query(
        "select coalesce(max(batch_id), 0) from " ~ source('raw_staging', 'load_batches') ~ " where status = 'done'"
    ) -%}
    {{ return(found.rows[0][0] | int) }}
{% endmacro %}

{# Runs a query of (changed_from, changed_to); by JSON, since the driver knows no infinity and agate guesses at types. #}
{% macro ranges_of(query) %}
    {%- set found = run_query(
        "select coalesce(json_agg(row_to_json(ranges)), '[]')::text as ranges_json from (" ~ query ~ ") as ranges"
    ) -%}
    {{ return(fromjson(found.rows[0][0])) }}
{% endmacro %}

{% macro mark_applied(relation, code_md5) %}
    insert into ops.applied_changes (model_name, change_id, code_md5)
    select
        '{{ relation.identifier }}',
        coalesce(max(change_id), 0),
        '{{ code_md5 }}'
    from ops.fact_changes
    on conflict (model_name) do update set change_id = excluded.change_id, code_md5 = excluded.code_md5
{% endmacro %}
