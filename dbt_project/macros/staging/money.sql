{# Money in the home currency. An amount that needs no conversion is not multiplied: products of decimals beyond
   18 digits cost fifty times a narrow one (10M rows: 5 s, 0.1 s), and narrow ones overflow. #}

{# The rows of a relation that can be expressed in the home currency, each with its `home_rate`; NULL is the home currency.
   The caller has `currency_rates` among its CTEs. #}
{%- macro rated_rows(relation) -%}
    select
        {{ relation }}.*,
        cast(coalesce(currency_rates.home_rate, 1) as decimal(18, 9)) as home_rate
    from {{ relation }}
    left join currency_rates
        on
            {{ relation }}.currency = currency_rates.currency
            and {{ relation }}.ordered_on >= currency_rates.valid_from
            and {{ relation }}.ordered_on < currency_rates.valid_to
    where {{ relation }}.currency is null or currency_rates.home_rate is not null
{%- endmacro -%}

{# An amount in whole cents. #}
{%- macro home_amount(amount) -%}
    case when home_rate = 1 then {{ amount }}
            else cast(cast({{ amount }} as decimal(38, 4)) * home_rate as decimal(18, 2)) end
{%- endmacro -%}

{# A price of one unit, or the amount of one line, to a hundredth of a cent. #}
{%- macro home_price(price) -%}
    case when home_rate = 1 then {{ price }}
            else cast(cast({{ price }} as decimal(38, 4)) * home_rate as decimal(18, 4)) end
{%- endmacro -%}

{# The sum of line amounts in whole cents; narrowed before it is rounded, which keeps the division cheap. #}
{%- macro sum_in_cents(line_amount) -%}
    cast(cast(sum({{ line_amount }}) as decimal(18, 4)) as decimal(18, 2))
{%- endmacro -%}
