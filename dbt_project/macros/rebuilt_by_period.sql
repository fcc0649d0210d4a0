{#
  A table built from the fact of which only the periods are rebuilt that the fact changed in.

  Config: rebuild_by = {'column': ..., 'period': 'hour', 'day', 'month', 'session' or 'session_day'}; indexes. The model reads
  the fact `where {{ rebuilt_range('requested_at') }}`, or sessions `where {{ rebuilt_range('started_at') }}`. As it is
  compiled that is all of time, and the first build, a full refresh, a change of more than `wide_change_days` and changed
  code (the model's, reported_requests' or the report time zone) build all of it aside and swap it in. Otherwise the ends are moved to those of the periods that changed, whose rows are
  replaced in place. Either way it is one transaction, with the note of what was built: see build_state.sql.
#}
{% materialization rebuilt_by_period, adapter='postgres' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set code_md5 = code_checksum(sql ~ definition_of_sources()) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- set ranges = none -%}
    {%- if existing is not none and existing.is_table and not should_full_refresh() -%}
        {%- set ranges = pending_ranges_of_fact(target, code_md5) -%}
    {%- endif -%}
    {%- if ranges is none or has_wide_range(ranges) -%}
        {%- do build_whole(target, existing, sql) -%}
    {%- else -%}
        {%- for range in ranges -%}
            {%- do rebuild_periods(target, sql, range) -%}
        {%- endfor -%}
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

{# The condition a model reads the fact with. The materialization puts dates in place of the infinities. #}
{% macro rebuilt_range(column) -%}
    {{ column }} >= timestamptz '-infinity' and {{ column }} < timestamptz 'infinity'
{%- endmacro %}

{#
  Returns what the model's own code does not tell: the definition of reported_requests, which names the report time zone (a
  view left from another zone is an error), and for a model that reads sessions, the checksum of theirs.
#}
{% macro definition_of_sources() %}
    {%- set found = run_query("select pg_get_viewdef(to_regclass('" ~ ref('reported_requests') ~ "'))") -%}
    {%- if report_tz() not in (found.rows[0][0] or '') -%}
        {%- do exceptions.raise_compiler_error(
            this.identifier ~ ": expected reported_requests in the report time zone " ~ report_tz()
            ~ ", found it in another; build it as well: dbt build --select +" ~ this.identifier
        ) -%}
    {%- endif -%}
    {%- if config.require('rebuild_by').period != 'session_day' -%}
        {{ return(found.rows[0][0]) }}
    {%- endif -%}
    {%- set sessions = run_query("select code_md5 from ops.applied_changes where model_name = 'sessions'") -%}
    {{ return(found.rows[0][0] ~ sessions.rows[0][0]) }}
{% endmacro %}

{% macro has_wide_range(ranges) %}
    {%- if not ranges -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set longest = [] -%}
    {%- for range in ranges -%}
        {%- do longest.append("timestamptz '" ~ range.changed_to ~ "' - timestamptz '" ~ range.changed_from ~ "'") -%}
    {%- endfor -%}
    {%- set found = run_query(
        "select (greatest(" ~ longest | join(', ') ~ ") > interval '" ~ var('wide_change_days') ~ " days')::int"
    ) -%}
    {{ return(found.rows[0][0] == 1) }}
{% endmacro %}

{% macro build_whole(target, existing, query) %}
    {%- set aside = make_intermediate_relation(target) -%}
    {%- set leftover = load_cached_relation(aside) -%}
    {%- if leftover is not none -%}
        {%- do adapter.drop_relation(leftover) -%}
    {%- endif -%}
    {% call statement('build_whole') -%}
        {{ get_create_table_as_sql(False, aside, query) }}
    {%- endcall %}
    {%- do create_indexes(aside) -%}
    {%- if existing is not none -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {%- do adapter.rename_relation(aside, target) -%}
    {% call statement('analyze_whole') -%}
        analyze {{ target }}
    {%- endcall %}
{% endmacro %}

{% macro rebuild_periods(target, query, range) %}
    {%- set rebuild_by = config.require('rebuild_by') -%}
    {%- if rebuild_by.period == 'session' -%}
        {%- set window = session_window(target, range) -%}
    {%- elif rebuild_by.period == 'session_day' -%}
        {%- set sessions = session_window(ref('sessions'), range) -%}
        {%- set window = period_window(
            {'changed_from': sessions.keep_from_timestamptz, 'changed_to': sessions.keep_to_timestamptz}, 'day'
        ) -%}
    {%- else -%}
        {%- set window = period_window(range, rebuild_by.period) -%}
    {%- endif -%}
    {%- set column = rebuild_by.column -%}
    {%- set columns = adapter.get_columns_in_relation(target) | map(attribute='quoted') | join(', ') -%}
    {%- set kind = 'date' if column.endswith('_on') else 'timestamptz' -%}
    {%- set rows -%}
        {{ column }} >= {{ kind }} '{{ window['keep_from_' ~ kind] }}'
        and {{ column }} < {{ kind }} '{{ window['keep_to_' ~ kind] }}'
    {%- endset -%}
    {% call statement('rebuild_periods') -%}
        -- A part of a partitioned fact is estimated as a few rows, and a loop over its users' versions takes minutes.
        set local enable_nestloop = off;
        delete from {{ target }} where {{ rows }};
        insert into {{ target }} ({{ columns }})
        select {{ columns }} from (
            {{ query
                | replace("timestamptz '-infinity'", "timestamptz '" ~ window.read_from ~ "'")
                | replace("timestamptz 'infinity'", "timestamptz '" ~ window.read_to ~ "'") }}
        ) as rebuilt
        {% if rebuild_by.period == 'session' %}where {{ rows }}{% endif %};
    {%- endcall %}
{% endmacro %}

{# Returns the whole periods that a range touches: what to read of the fact and which rows to replace, ends excluded. #}
{% macro period_window(range, period) %}
    {%- set query %}
        select
            read_from,
            read_to,
            read_from as keep_from_timestamptz,
            read_to as keep_to_timestamptz,
            {{ report_day('read_from') }} as keep_from_date,
            {{ report_day('read_to') }} as keep_to_date
        from (
            select
                date_trunc('{{ period }}', timestamptz '{{ range.changed_from }}', {{ report_tz() }}) as read_from,
                date_add(
                    date_trunc('{{ period }}', timestamptz '{{ range.changed_to }}', {{ report_tz() }}),
                    interval '1 {{ period }}',
                    {{ report_tz() }}
                ) as read_to
        ) as periods
    {%- endset -%}
    {{ return(ranges_of(query)[0]) }}
{% endmacro %}

{#
  The same for sessions. Rebuilt are those that begin between the earliest start among the sessions that changed requests
  may belong to and the latest request that a changed one could be followed by. To know whether a request begins a session,
  the gap before it is read; to know where a session ends, all there is until the last end known. Asked of sessions already
  rebuilt, it gives the same earliest start: what a session held before the change still ends within a gap of it.
#}
{% macro session_window(target, range) %}
    {%- set gap = "interval '" ~ var('session_gap_minutes') ~ " minutes 1 second'" -%}
    {%- set query %}
        select
            kept.keep_from as keep_from_timestamptz,
            kept.keep_to as keep_to_timestamptz,
            kept.keep_from - {{ gap }} as read_from,
            greatest(
                kept.keep_to, (select max(ended_at) from {{ target }} where started_at between keep_from and keep_to)
            ) + {{ gap }} as read_to
        from (
            select
                least(timestamptz '{{ range.changed_from }}', min(started_at)) as keep_from,
                timestamptz '{{ range.changed_to }}' + {{ gap }} as keep_to
            from {{ target }}
            where
                ended_at >= timestamptz '{{ range.changed_from }}' - {{ gap }}
                and started_at <= timestamptz '{{ range.changed_to }}' + {{ gap }}
        ) as kept
    {%- endset -%}
    {{ return(ranges_of(query)[0]) }}
{% endmacro %}
