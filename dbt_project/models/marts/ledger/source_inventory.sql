with lake_batches as (
    select * from {{ ref('lake_batches') }}
    where is_visible
),

checked_orders as (
    select * from {{ ref('checked_orders') }}
),

contract_columns as (
    {%- for table in contract_tables() %}
    {%- set contract = table_contract(table) %}
    {%- for column in contract.columns %}
    select
        '{{ table }}' as table_name,
        '{{ column.name }}' as column_name,
        {{ loop.index }} as position,
        {{ text_or_null(contract.instead) }} as instead,
        {{ text_or_null(contract.switches_off.table) }} as without_table,
        {{ text_or_null(contract.switches_off[column.name]) }} as without_column
    union all
    {%- endfor %}
    {%- endfor %}
    select
        cast(null as string) as table_name,
        cast(null as string) as column_name,
        cast(null as integer) as position,
        cast(null as string) as instead,
        cast(null as string) as without_table,
        cast(null as string) as without_column
    where false
),

-- of order lines, returns are made as well, but those stand in place of the table
negative_orders as (
    select distinct 'returns' as table_name
    from checked_orders
    where net_amount < 0 and _rule is null and status in ('completed', 'returned')
),

deliveries as (
    select
        table_name,
        sum(rows) as rows
    from lake_batches
    group by table_name
),

looked_up as (
    select
        contract_columns.table_name,
        contract_columns.column_name,
        contract_columns.position,
        contract_columns.instead,
        contract_columns.without_table,
        contract_columns.without_column,
        coalesce(bool_or(contains(lake_batches.columns, ',' || contract_columns.column_name || ',')), false) as given
    from contract_columns
    left join lake_batches on contract_columns.table_name = lake_batches.table_name
    group by all
),

extra_words as (
    select
        table_name,
        {{ words_between_commas('extra_columns') }}
    from lake_batches
),

extra_columns as (
    select distinct
        table_name,
        word as column_name
    from extra_words
    where word <> ''
),

final as (
    select
        looked_up.table_name,
        looked_up.column_name,
        'contract' as kind,
        looked_up.position,
        looked_up.given,
        cast(coalesce(deliveries.rows, 0) as bigint) as rows,
        case
            when looked_up.given then null
            when deliveries.rows is not null then looked_up.without_column
            when replacements.rows is not null then null
            when negative_orders.table_name is not null
                then 'products and reasons of returns; orders with a negative amount count as returns'
            else looked_up.without_table
        end as switched_off_what
    from looked_up
    left join deliveries on looked_up.table_name = deliveries.table_name
    left join deliveries as replacements on looked_up.instead = replacements.table_name
    left join negative_orders on looked_up.table_name = negative_orders.table_name

    union all

    select
        extra_columns.table_name,
        extra_columns.column_name,
        'extra' as kind,
        cast(null as integer) as position,
        true as given,
        cast(deliveries.rows as bigint) as rows,
        cast(null as string) as switched_off_what
    from extra_columns
    inner join deliveries on extra_columns.table_name = deliveries.table_name
)

select * from final
