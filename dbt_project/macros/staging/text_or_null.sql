{%- macro text_or_null(text) -%}
    {{ "'" ~ text | replace("'", "''") ~ "'" if text else 'cast(null as string)' }}
{%- endmacro -%}
