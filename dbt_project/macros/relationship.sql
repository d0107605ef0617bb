{# What counts as having spoken to a customer. #}

{# Somebody tried to speak to the customer; a greeting (care) is sent, not spoken. A source that does not say who began
   records what its own people did. #}
{%- macro is_attempt() -%}
    (coalesce(direction, 'outbound') = 'outbound' and coalesce(kind, '') <> 'care')
{%- endmacro -%}

{# The two spoke, whoever began; a source that does not record outcomes records contacts that took place. A customer
   who refuses has been spoken to. #}
{%- macro is_conversation() -%}
    (coalesce(kind, '') <> 'care' and coalesce(outcome, '') <> 'no_answer')
{%- endmacro -%}
