{%- macro text_or_null(text) -%}
    {{ "'" ~ text ~ "'" if text else 'cast(null as string)' }}
{%- endmacro -%}
