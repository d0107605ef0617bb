{# A column that no source can deliver would never be missed, or always. #}
{%- set lists = declared_lists() -%}
with wanted as (
    {%- for list in lists %}
    {%- for need in list.needs.replace(' or ', ', ').split(', ') if need %}
    select
        '{{ list.code }}' as list_code,
        '{{ need }}' as need
    union all
    {%- endfor %}
    {%- endfor %}
    select
        cast(null as string) as list_code,
        cast(null as string) as need
    where false
)

select wanted.*
from wanted
left join {{ ref('source_inventory') }} as columns
    on wanted.need = columns.table_name || '.' || columns.column_name and columns.kind = 'contract'
where columns.table_name is null
