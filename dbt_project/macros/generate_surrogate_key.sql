{% macro generate_surrogate_key(fields) -%}
    {%- set values = [] -%}
    {%- for field in fields -%}
        {%- do values.append(
            "coalesce(cast(" ~ field ~ " as text), '_dbt_utils_surrogate_key_null_')"
        ) -%}
    {%- endfor -%}
    cast(md5({{ values | join(" || '-' || ") }}) as uuid)
{%- endmacro %}
