{# Identifiers and random-looking shares that are the same in every run and on every engine. #}

{# A 32-digit identifier of the given expressions, in their order; NULL counts as the empty string. #}
{%- macro stable_hash(expressions) -%}
    md5({% for expression in expressions -%}
        coalesce(cast({{ expression }} as string), '')
        {%- if not loop.last %} || '|' || {% endif -%}
    {%- endfor %})
{%- endmacro -%}

{# A share in [0, 1), uniform over different inputs: the first 52 bits of the hash, which a double holds exactly. #}
{%- macro stable_share(expressions) -%}
    (cast('0x' || left({{ stable_hash(expressions) }}, 13) as bigint) / 4503599627370496.0)
{%- endmacro -%}
