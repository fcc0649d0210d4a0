{# Change of a measure since the month before, as a share of it; for company_usage_monthly, whose window it uses. #}
{% macro growth_ratio(measure) -%}
    cast(
        joined.{{ measure }} / nullif(cast(first_value(joined.{{ measure }}) over previous as numeric), 0) - 1
        as double precision
    )
{%- endmacro %}
