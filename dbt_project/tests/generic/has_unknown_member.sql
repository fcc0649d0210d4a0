{% test has_unknown_member(model, column_name, name_column) %}

select
    count(*) as members_with_id_0,
    count(*) filter (where {{ name_column }} = 'unknown') as members_named_unknown
from {{ model }}
where {{ column_name }} = 0
having count(*) <> 1 or count(*) filter (where {{ name_column }} = 'unknown') <> 1

{% endtest %}
