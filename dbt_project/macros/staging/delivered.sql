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

{# The same over several tables, any of which will do: `facts` is a mapping from the name of the boolean to a list of
   columns, each as table.column. #}
{%- macro facts_given(inventory, facts) -%}
    select
        {%- for name, columns in facts.items() %}
        coalesce(
            bool_or(given) filter (where table_name || '.' || column_name in ('{{ columns | join("', '") }}')), false
        ) as {{ name }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ inventory }}
{%- endmacro -%}
