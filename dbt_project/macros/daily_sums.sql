{# The sums of a mart's measures by day, of the days a test reads. #}
{% macro daily_sums(mart, measures) -%}
    select
        day_on,
        {% for measure in measures -%}
        sum({{ measure }}) as {{ measure }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ tested_periods(mart, 'day_on') }}
    group by day_on
{%- endmacro %}

{# The days and measures on which two relations with a row per day differ, or that one of them lacks. #}
{% macro differing_sums(expected, actual, measures) -%}
    {% for measure in measures -%}
    select
        '{{ actual }}' as mart,
        '{{ measure }}' as measure,
        coalesce(expected.day_on, actual.day_on) as day_on,
        expected.{{ measure }} as expected_sum,
        actual.{{ measure }} as found_sum
    from {{ expected }} as expected
    full outer join {{ actual }} as actual on expected.day_on = actual.day_on
    where expected.{{ measure }} is distinct from actual.{{ measure }}
    {{ 'union all' if not loop.last }}
    {% endfor -%}
{%- endmacro %}
