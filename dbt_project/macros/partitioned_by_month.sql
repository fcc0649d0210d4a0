{#
  A table partitioned by month of `partition_column`, rebuilt only where its inputs changed.

  Config: partition_column (timestamptz); changes_from = 'batches' (the fact: what the loader loaded, what was repriced)
  or 'fact' (built from the fact: what that rewrote); indexes.

  Narrow changes (NARROW_DAYS or less, one day's tick) are deleted and inserted in place. Wider ones rebuild whole months
  aside and swap them in. The first build, a full refresh and changed code build all months aside and swap the table. All
  of it, the note of what was built included, is one transaction: readers see the old table or the new one.
  Dropping data by age is `drop table <table>_2025_01`.
#}
{% materialization partitioned_by_month, adapter='postgres' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set column = config.require('partition_column') -%}
    {%- set changes_from = config.require('changes_from') -%}
    {%- set code_md5 = code_checksum(sql) -%}
    {%- set last_batch = last_loaded_batch() -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- set ranges = none -%}
    {%- if existing is not none and not should_full_refresh() and is_partitioned(target) -%}
        {%- set ranges = pending_fact_ranges(target, code_md5, last_batch) if changes_from == 'batches'
            else pending_ranges_of_fact(target, code_md5) -%}
    {%- endif -%}

    {%- if ranges is none -%}
        {%- do build_all_months(target, existing, sql, column) -%}
    {%- else -%}
        {%- for range in ranges -%}
            {%- do rebuild_range(target, sql, column, range) -%}
        {%- endfor -%}
        {%- if ranges -%}
            {%- do analyze_parent(target) -%}
        {%- endif -%}
    {%- endif -%}
    {%- if changes_from == 'batches' -%}
        {%- do note_fact_build(target, ranges, last_batch) -%}
    {%- endif -%}
    {% call statement('main') -%}
        {{ mark_applied(target, code_md5) }}
    {%- endcall %}

    {% do persist_docs(target, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% macro is_partitioned(relation) %}
    {%- set found = run_query(
        "select relkind from pg_catalog.pg_class where oid = to_regclass('" ~ relation ~ "') and relkind = 'p'"
    ) -%}
    {{ return(found.rows | length > 0) }}
{% endmacro %}

{# Returns the first days of the months between two instants as 'YYYY-MM-01'. #}
{% macro months_between(changed_from, changed_to) %}
    {%- set found = run_query(
        "select to_char(month, 'YYYY-MM-DD') || 'x' from generate_series(date_trunc('month', timestamptz '" ~ changed_from
        ~ "', 'UTC'), timestamptz '" ~ changed_to ~ "', interval '1 month', 'UTC') as months (month)"
    ) -%}
    {{ return(found.columns[0].values() | map('replace', 'x', '') | list) }}
{% endmacro %}

{#
  Returns the months, likewise, in which what `target` is built from has rows, of a range or of all of time. A month
  without rows has no partition: a build holds a lock on each, and two rows decades apart must not make hundreds.
#}
{% macro months_with_rows(column, range=none) %}
    {%- set rows = source('raw_staging', 'api_requests') if config.require('changes_from') == 'batches'
        else ref('fct_api_requests') -%}
    {%- set query %}
        select distinct to_char(date_trunc('month', {{ column }}, 'UTC') at time zone 'UTC', 'YYYY-MM-DD') || 'x'
        from {{ rows }}
        {% if range is not none -%}
            where
                {{ column }} >= date_trunc('month', timestamptz '{{ range.changed_from }}', 'UTC')
                and {{ column }} < date_add(
                    date_trunc('month', timestamptz '{{ range.changed_to }}', 'UTC'), interval '1 month', 'UTC'
                )
        {%- endif %}
        order by 1
    {%- endset -%}
    {{ return(run_query(query).columns[0].values() | map('replace', 'x', '') | list) }}
{% endmacro %}

{# Returns the months of a range, likewise, that have a partition. #}
{% macro built_months(target, range) %}
    {%- set query %}
        select replace(right(partitions.relname, 7), '_', '-') || '-01x'
        from pg_catalog.pg_inherits as children
        inner join pg_catalog.pg_class as partitions on children.inhrelid = partitions.oid
        where
            children.inhparent = to_regclass('{{ target }}')
            and right(partitions.relname, 7) between to_char(
                timestamptz '{{ range.changed_from }}' at time zone 'UTC', 'YYYY_MM'
            ) and to_char(timestamptz '{{ range.changed_to }}' at time zone 'UTC', 'YYYY_MM')
        order by 1
    {%- endset -%}
    {{ return(run_query(query).columns[0].values() | map('replace', 'x', '') | list) }}
{% endmacro %}

{% macro month_condition(column, month) -%}
    {{ column }} >= timestamptz '{{ month }} 00:00:00+00'
    and {{ column }} < timestamptz '{{ month }} 00:00:00+00' + interval '1 month'
{%- endmacro %}

{% macro partition_name(relation, month) -%}
    {{ relation.identifier }}_{{ month[:7] | replace('-', '_') }}
{%- endmacro %}

{# Creates `parent`, empty and partitioned, with the columns of the query. #}
{% macro create_partitioned(parent, query, column) %}
    {% call statement('create_partitioned') -%}
        create table {{ parent.incorporate(path={'identifier': parent.identifier ~ '__shape'}) }} as
        select * from ({{ query }}) as model_rows limit 0;
        create table {{ parent }} (like {{ parent.incorporate(path={'identifier': parent.identifier ~ '__shape'}) }})
        partition by range ({{ column }});
        drop table {{ parent.incorporate(path={'identifier': parent.identifier ~ '__shape'}) }};
        {% for index in config.get('indexes', []) %}
            create {% if index.unique %}unique {% endif %}index on {{ parent }}
            using {{ index.type or 'btree' }} ({{ index.columns | join(', ') }});
        {% endfor %}
    {%- endcall %}
{% endmacro %}

{# Builds one month of the query into a table of its own and attaches it to `parent` in place of what was there. #}
{% macro build_month(parent, target, query, column, month) %}
    {%- set partition = target.incorporate(path={'identifier': partition_name(target, month) ~ '__new'}) -%}
    {% call statement('build_month') -%}
        create table {{ partition }} as
        select * from ({{ query }}) as model_rows
        where {{ month_condition(column, month) }};
        alter table {{ parent }} attach partition {{ partition }}
        for values from (timestamptz '{{ month }} 00:00:00+00')
        to (timestamptz '{{ month }} 00:00:00+00' + interval '1 month');
        analyze {{ partition }};
    {%- endcall %}
{% endmacro %}

{% macro build_all_months(target, existing, query, column) %}
    {%- set parent = target.incorporate(path={'identifier': target.identifier ~ '__new'}) -%}
    {%- set months = months_with_rows(column) -%}
    {%- do create_partitioned(parent, query, column) -%}
    {%- for month in months -%}
        {%- do build_month(parent, target, query, column, month) -%}
    {%- endfor -%}
    {%- if existing is not none -%}
        {% call statement('drop_old') -%}
            drop {{ existing.type }} if exists {{ existing }} cascade
        {%- endcall %}
    {%- endif -%}
    {% call statement('rename_new') -%}
        alter table {{ parent }} rename to {{ target.identifier }};
        {% for month in months %}
            alter table {{ target.incorporate(path={'identifier': partition_name(target, month) ~ '__new'}) }}
            rename to {{ partition_name(target, month) }};
        {% endfor %}
    {%- endcall %}
    {%- do analyze_parent(target) -%}
{% endmacro %}

{# Partitions know their own rows only; joins of the whole table are planned by the parent's statistics. #}
{% macro analyze_parent(target) %}
    {% call statement('analyze_parent') -%}
        -- Before PostgreSQL 18 there is no `only`, and `analyze` goes through the partitions once more.
        do $do$
        begin
            if current_setting('server_version_num')::int >= 180000 then
                execute $analyze$ analyze only {{ target }} $analyze$;
            else
                execute $analyze$ analyze {{ target }} $analyze$;
            end if;
        end
        $do$
    {%- endcall %}
{% endmacro %}

{% macro rebuild_range(target, query, column, range) %}
    {%- if is_narrow(range) -%}
        {%- set months = months_between(range.changed_from, range.changed_to) -%}
        {%- do create_missing_months(target, months) -%}
        {%- set condition -%}
            {{ column }} between timestamptz '{{ range.changed_from }}' and timestamptz '{{ range.changed_to }}'
        {%- endset -%}
        {% call statement('rebuild_range') -%}
            delete from {{ target }} where {{ condition }};
            insert into {{ target }} select * from ({{ query }}) as model_rows where {{ condition }};
            {% for month in months %}
                analyze {{ target.incorporate(path={'identifier': partition_name(target, month)}) }};
            {% endfor %}
        {%- endcall %}
    {%- else -%}
        {%- for month in built_months(target, range) -%}
            {% call statement('drop_month') -%}
                drop table {{ target.incorporate(path={'identifier': partition_name(target, month)}) }}
            {%- endcall %}
        {%- endfor -%}
        {%- for month in months_with_rows(column, range) -%}
            {%- do build_month(target, target, query, column, month) -%}
            {% call statement('rename_month') -%}
                alter table {{ target.incorporate(path={'identifier': partition_name(target, month) ~ '__new'}) }}
                rename to {{ partition_name(target, month) }}
            {%- endcall %}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}

{% macro is_narrow(range) %}
    {%- set found = run_query(
        "select (timestamptz '" ~ range.changed_to ~ "' - timestamptz '" ~ range.changed_from
        ~ "' <= interval '" ~ var('narrow_change_days') ~ " days')::int"
    ) -%}
    {{ return(found.rows[0][0] == 1) }}
{% endmacro %}

{% macro create_missing_months(target, months) %}
    {%- for month in months -%}
        {% call statement('create_month') -%}
            create table if not exists {{ target.incorporate(path={'identifier': partition_name(target, month)}) }}
            partition of {{ target }}
            for values from (timestamptz '{{ month }} 00:00:00+00')
            to (timestamptz '{{ month }} 00:00:00+00' + interval '1 month')
        {%- endcall %}
    {%- endfor -%}
{% endmacro %}

{# Notes which batches and prices the fact now holds and which ranges it rewrote. #}
{% macro note_fact_build(target, ranges, last_batch) %}
    {% call statement('note_fact_build') -%}
        insert into ops.built_batches (model_name, source, batch_id)
        select
            '{{ target.identifier }}',
            source,
            max(batch_id)
        from {{ source('raw_staging', 'load_batches') }}
        where status = 'done' and batch_id <= {{ last_batch }}
        group by source
        on conflict (model_name, source) do update set batch_id = excluded.batch_id;
        delete from ops.applied_prices;
        insert into ops.applied_prices
        select
            price_key,
            model_id,
            input_usd_per_mtok,
            cache_read_usd_per_mtok,
            cache_write_usd_per_mtok,
            output_usd_per_mtok,
            reasoning_usd_per_mtok,
            valid_from,
            valid_to
        from ({{ price_periods() }}) as periods;
        {% if ranges is none %}
            insert into ops.fact_changes (changed_from, changed_to) values ('-infinity', 'infinity');
        {% endif %}
        {% for range in ranges or [] %}
            insert into ops.fact_changes (changed_from, changed_to)
            values (timestamptz '{{ range.changed_from }}', timestamptz '{{ range.changed_to }}');
        {% endfor %}
    {%- endcall %}
{% endmacro %}
