{% macro growth_ratio(measure) -%}
    cast(
        joined.{{ measure }} / nullif(cast(first_value(joined.{{ measure }}) over previous as numeric), 0) - 1
        as double precision
    )
{%- endmacro %}
