{# An amount in the home currency, in whole cents. #}
{%- macro home_amount(amount) -%}
    cast({{ amount }} * home_rate as decimal(18, 2))
{%- endmacro -%}

{# A price of one unit, or the amount of one line, in the home currency, to a hundredth of a cent. #}
{%- macro home_price(price) -%}
    cast({{ price }} * home_rate as decimal(24, 4))
{%- endmacro -%}
