{# A list as people type it, with every kind of separator made a comma. #}
{%- macro unified_commas(text) -%}
    replace(replace(replace(replace({{ text }}, '，', ','), '、', ','), ';', ','), '；', ',')
{%- endmacro -%}
