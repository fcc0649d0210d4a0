{# Refreshes the planner's statistics of a table just built. A partitioned fact does so itself, where it changed. #}
{% macro analyze_built(relation, model) %}
    {%- if model.config.materialized == 'table' -%}
        analyze {{ relation }}
    {%- endif -%}
{% endmacro %}
