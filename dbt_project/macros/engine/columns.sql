{# All columns of a relation but some. Both engines take `* except`, but the linter of this one knows its own word alone. #}
{%- macro all_columns_except(relation, columns) -%}
    {{ relation }}.* exclude ({{ columns | join(', ') }})
{%- endmacro -%}
