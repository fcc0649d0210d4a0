{% test matches_pattern(model, column_name, pattern) %}

select {{ column_name }} as value_not_matching
from {{ model }}
where {{ column_name }} !~ '{{ pattern }}'

{% endtest %}
