{# The rows of `relation` that a test of whole periods reads: all, or those of the periods that a tick has touched. #}
{% macro tested_periods(relation, column, period='day') -%}
    {%- if execute and tests_changed_rows_only() -%}
        {%- set start = "date_trunc('" ~ period ~ "', (select tested_from from ops.test_window), " ~ report_tz() ~ ")" -%}
        {%- set start = report_day(start) if column.endswith('_on') else start -%}
        (select * from {{ relation }} where {{ column }} >= {{ start }})
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}
