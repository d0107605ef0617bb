{%- set tables = contract_tables() -%}
with {% for table in tables -%}
checked_{{ table }} as (
    select * from {{ ref('checked_' ~ table) }}
),

{% endfor -%}
currency_without_rate as (
    select * from {{ ref('currency_without_rate') }}
),

final as (
    {%- for table in tables %}
    select
        '{{ table }}' as table_name,
        _batch as batch_as_of,
        _row as row_number,
        {{ row_key(table_contract(table)) }} as row_key,
        _rule as rule,
        _reason as reason
    from checked_{{ table }}
    where _rule is not null

    union all
    {% endfor %}
    select
        table_name,
        _batch as batch_as_of,
        _row as row_number,
        order_id as row_key,
        'currency_without_rate' as rule,
        'currency: expected one with a rate on that day in the seed exchange_rates, found none' as reason
    from currency_without_rate
)

select * from final
