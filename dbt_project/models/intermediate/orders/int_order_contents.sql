with

order_items as (
    select * from {{ ref('stg_order_items') }}
),

products as (
    select * from {{ ref('stg_products') }}
),

lines as (
    select
        order_items.order_id,
        order_items.line_no,
        order_items.quantity,
        products.category,
        products.service_interval_days,
        cast(order_items.quantity * products.unit_cost as decimal(18, 4)) as cost_amount,
        -- Cast before subtracting: on 36 digits that one subtraction takes longer than all the rest.
        coalesce(cast(order_items.quantity * order_items.unit_price as decimal(18, 2)), 0)
        - coalesce(order_items.discount_amount, 0) as line_amount
    from order_items
    left join products on order_items.product_id = products.product_id
),

-- One aggregate over the lines: to sum by category first costs four times as much, for nearly as many groups as lines.
-- The line number in the last digits makes the order of the lines total.
final as (
    select
        order_id,
        max_by(category, line_amount * 10000000000 - line_no) filter (where category is not null) as category,
        cast(count(*) as integer) as lines,
        cast(sum(quantity) as decimal(18, 3)) as quantity,
        case when count(cost_amount) = count(*) then cast(sum(cost_amount) as decimal(18, 2)) end as cost_amount,
        min(service_interval_days) as service_interval_days
    from lines
    group by order_id
)

select * from final
