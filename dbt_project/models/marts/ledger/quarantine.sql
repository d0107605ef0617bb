{%- set tables = contract_tables() -%}
with lake_batches as (
    select * from {{ ref('lake_batches') }}
    where is_visible
),

{{ import_checked_tables(tables) }}currency_without_rate as (
    select * from {{ ref('currency_without_rate') }}
),

unusable_rows as (
    {%- for table in tables %}
    {%- set contract = table_contract(table) %}
    select
        '{{ table }}' as table_name,
        _batch_id,
        _batch as batch_as_of,
        _row,
        {{ row_key(contract) }} as row_key,
        {{ 'customer_id' if 'customer_id' in contract.columns | map(attribute='name') else 'cast(null as string)' }} as customer_id,
        _rule as rule,
        _reason as reason,
        _further as further_rules,
        _value as value_at_fault
    from checked_{{ table }}
    where _rule is not null

    union all
    {% endfor %}
    select
        table_name,
        _batch_id,
        _batch as batch_as_of,
        _row,
        order_id as row_key,
        cast(null as string) as customer_id,
        'currency_without_rate' as rule,
        'currency: expected one with a rate on that day in dbt_project/seeds/exchange_rates.csv, found none' as reason,
        cast(null as string) as further_rules,
        currency as value_at_fault
    from currency_without_rate
),

-- the same row came once more, in a later delivery or further on in the same one, and could be used
mended as (
    {%- for table in tables %}
    {%- set contract = table_contract(table) %}
    select distinct
        '{{ table }}' as table_name,
        unusable._batch_id,
        unusable._row
    from checked_{{ table }} as unusable
    inner join checked_{{ table }} as later
        on
            {#- while dbt only parses, and to the linter, the contract is not there yet #}
            {{ same_row(contract, 'unusable', 'later') if contract.key else 'true' }}
            and (unusable._batch < later._batch or (unusable._batch = later._batch and unusable._row < later._row))
    where unusable._rule is not null and later._rule is null
    {{- '\n\n    union all\n' if not loop.last }}
    {%- endfor %}
),

listed_parts as (
    select
        batch_id,
        table_name,
        {{ each_part('parts') }}
    from lake_batches
),

-- which rows of a delivery came from which file
parts as (
    select
        batch_id,
        table_name,
        part.label,
        part.first_row,
        lead(part.first_row) over (partition by table_name, batch_id order by part.first_row) as next_first_row
    from listed_parts
),

-- A row whose values slipped by a column may hold anything there: only a short word without digits that the rows of
-- many customers have in common is told. That is a code, and no person's.
codes as (
    select
        table_name,
        rule,
        value_at_fault as code
    from unusable_rows
    where
        rule like '%_unknown'
        and char_length(value_at_fault) <= {{ var('longest_code') }}
        and {{ shape_of('value_at_fault') }} not like '%9%'
        and value_at_fault not like '%@%'
    group by table_name, rule, value_at_fault
    having count(distinct customer_id) >= {{ var('code_min_customers') }}
),

final as (
    select
        unusable_rows.table_name,
        unusable_rows.batch_as_of,
        unusable_rows._row + 1 as delivery_row,
        parts.label as delivery_part,
        unusable_rows._row - coalesce(parts.first_row, 0) + 1 as row_number,
        unusable_rows.row_key,
        unusable_rows.rule,
        unusable_rows.reason,
        unusable_rows.further_rules,
        {{ shape_of('unusable_rows.value_at_fault') }} as value_shape,
        codes.code,
        mended._row is not null as is_mended
    from unusable_rows
    inner join lake_batches
        on unusable_rows.table_name = lake_batches.table_name and unusable_rows._batch_id = lake_batches.batch_id
    left join mended
        on
            unusable_rows.table_name = mended.table_name
            and unusable_rows._batch_id = mended._batch_id
            and unusable_rows._row = mended._row
    left join codes
        on
            unusable_rows.table_name = codes.table_name
            and unusable_rows.rule = codes.rule
            and unusable_rows.value_at_fault = codes.code
    left join parts
        on
            unusable_rows.table_name = parts.table_name
            and unusable_rows._batch_id = parts.batch_id
            and unusable_rows._row >= parts.first_row
            and unusable_rows._row < coalesce(parts.next_first_row, unusable_rows._row + 1)
)

select * from final
