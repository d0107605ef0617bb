{# Whether the source delivers columns of a table, as a row of booleans: where a column is not given, its absence says
   nothing about a row. `columns` is a mapping from the name of the boolean to the column, and `inventory` the relation or
   CTE of source_inventory. #}
{%- macro columns_given(inventory, table, columns) -%}
    select
        {%- for name, column in columns.items() %}
        coalesce(bool_or(given) filter (where column_name = '{{ column }}'), false) as {{ name }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ inventory }}
    where table_name = '{{ table }}'
{%- endmacro -%}
