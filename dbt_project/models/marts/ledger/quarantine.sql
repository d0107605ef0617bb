{%- set tables = contract_tables() -%}
with lake_batches as (
    select * from {{ ref('lake_batches') }}
    where is_visible
),

{% for table in tables -%}
checked_{{ table }} as (
    select * from {{ ref('checked_' ~ table) }}
),

{% endfor -%}
currency_without_rate as (
    select * from {{ ref('currency_without_rate') }}
),

unusable_rows as (
    {%- for table in tables %}
    select
        '{{ table }}' as table_name,
        _batch_id,
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
        _batch_id,
        _batch as batch_as_of,
        _row as row_number,
        order_id as row_key,
        'currency_without_rate' as rule,
        'currency: expected one with a rate on that day in the seed exchange_rates, found none' as reason
    from currency_without_rate
),

final as (
    select
        unusable_rows.table_name,
        unusable_rows.batch_as_of,
        unusable_rows.row_number,
        unusable_rows.row_key,
        unusable_rows.rule,
        unusable_rows.reason
    from unusable_rows
    inner join lake_batches
        on unusable_rows.table_name = lake_batches.table_name and unusable_rows._batch_id = lake_batches.batch_id
)

select * from final
