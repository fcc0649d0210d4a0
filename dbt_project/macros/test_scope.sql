{#
  Which rows of the big tables the data tests read. All of them, unless DBT_TEST_SCOPE=changed (as `make tick` sets it):
  then those from the earliest request on that was loaded or rewritten since the last whole build passed its tests. A
  model takes part by naming its time in `meta: {time_column: ...}`.
#}

{% macro get_where_subquery(relation) -%}
    {%- set conditions = [] -%}
    {%- if config.get('where', '') -%}
        {%- do conditions.append('(' ~ config.get('where') ~ ')') -%}
    {%- endif -%}
    {%- if execute and tests_changed_rows_only() -%}
        {%- set node = graph.nodes.get(model.attached_node, {}) -%}
        {%- set time_column = node.get('config', {}).get('meta', {}).get('time_column') -%}
        {%- if time_column and relation.identifier == node.alias -%}
            {%- do conditions.append(time_column ~ ' >= (select tested_from from ops.test_window)') -%}
        {%- endif -%}
    {%- endif -%}
    {%- if conditions -%}
        (select * from {{ relation }} where {{ conditions | join(' and ') }}) as dbt_subquery
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}

{# The rows of `relation` that a singular test reads. #}
{% macro tested_rows(relation, time_column='requested_at') -%}
    {%- if execute and tests_changed_rows_only() -%}
        (select * from {{ relation }} where {{ time_column }} >= (select tested_from from ops.test_window))
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}

{% macro tests_changed_rows_only() -%}
    {{ return(env_var('DBT_TEST_SCOPE', 'all') == 'changed') }}
{%- endmacro %}

{# Runs after a build. A build of everything that failed nowhere has tested what it changed. #}
{% macro note_tested_changes(results) -%}
    {%- set is_whole = flags.WHICH == 'build' and not invocation_args_dict.get('select')
        and not invocation_args_dict.get('exclude')
        and 'test' not in (invocation_args_dict.get('exclude_resource_types') or []) | map('string') -%}
    {%- set bad = results | selectattr('status', 'in', ['error', 'fail', 'skipped']) | list -%}
    {%- if is_whole and not bad -%}
        {% if target.role %}set role {{ target.role }};{% endif %}
        update ops.tested_changes
        set change_id = (select coalesce(max(change_id), 0) from ops.fact_changes)
    {%- endif -%}
{%- endmacro %}
