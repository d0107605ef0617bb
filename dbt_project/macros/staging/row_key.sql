{# What names a row to people: the columns of its key; where all columns are the key, the identifiers among them. #}
{%- macro row_key(contract) -%}
    {%- set parts = [] -%}
    {%- for column in contract.columns if column.name in contract.key and (contract.key == contract.identity or is_identifier(column)) -%}
        {%- do parts.append('cast(' ~ column.name ~ ' as string)') -%}
    {%- endfor -%}
    concat_ws('/'{% for part in parts %}, {{ part }}{% endfor %})
{%- endmacro -%}
