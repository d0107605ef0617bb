{# A key customer: one of the core who has not left. Whoever takes over from a representative meets them in person. #}
{%- macro is_key_customer() -%}
    (value_tier = 'core' and lifecycle_stage <> 'churned')
{%- endmacro -%}
