with source_inventory as (
    select * from {{ ref('source_inventory') }}
),

declared as (
    {%- for list in declared_lists() %}
    {%- for need in list.needs %}
    {%- set need_no = loop.index %}
    {%- for column in need %}
    select
        '{{ list.code }}' as list_code,
        {{ need_no }} as need_no,
        '{{ column.split('.')[0] }}' as table_name,
        '{{ column.split('.')[1] }}' as column_name
    union all
    {%- endfor %}
    {%- endfor %}
    {%- endfor %}
    select
        cast(null as string) as list_code,
        cast(null as integer) as need_no,
        cast(null as string) as table_name,
        cast(null as string) as column_name
    where false
),

final as (
    select
        declared.list_code,
        declared.need_no,
        declared.table_name,
        declared.column_name,
        coalesce(source_inventory.given, false) as is_given,
        bool_or(coalesce(source_inventory.given, false)) over (
            partition by declared.list_code, declared.need_no
        ) as is_met
    from declared
    left join source_inventory
        on
            declared.table_name = source_inventory.table_name
            and declared.column_name = source_inventory.column_name
            and source_inventory.kind = 'contract'
)

select * from final
