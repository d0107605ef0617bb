with

spells as (
    select * from {{ ref('int_unit_severity') }}
),

first_days as (
    select * from {{ ref('int_order_days') }}
    where order_day_number = 1
),

final as (
    {{ stage_spells('spells', 'first_days', ['customer_id', 'unit_id']) }}
)

select * from final
