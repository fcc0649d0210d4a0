{#
  The report time zone, in which the hours, days and months of all marts begin: REPORT_TZ, a name PostgreSQL knows, else UTC.
  An hour is one of that zone, so that the hours of a day sum to the day also where the zone is half an hour off.
#}
{% macro report_tz() -%}
    {%- set zone = var('report_tz', none) or env_var('REPORT_TZ', '') or 'UTC' -%}
    '{{ zone | replace("'", "''") }}'
{%- endmacro %}

{% macro report_hour(moment) -%}
    date_trunc('hour', {{ moment }}, {{ report_tz() }})
{%- endmacro %}

{% macro report_day(moment) -%}
    cast({{ moment }} at time zone {{ report_tz() }} as date)
{%- endmacro %}

{% macro report_month(moment) -%}
    cast(date_trunc('month', {{ moment }} at time zone {{ report_tz() }}) as date)
{%- endmacro %}

{# The first day of a day's month. #}
{% macro month_of(day) -%}
    cast(date_trunc('month', cast({{ day }} as timestamp)) as date)
{%- endmacro %}
