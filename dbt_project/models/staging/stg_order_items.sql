with delivered_order_items as (
    select * from {{ ref('delivered_order_items') }}
),

priced_lines as (
    select * from {{ ref('priced_lines') }}
),

orders as (
    select * from {{ ref('stg_orders') }}
),

final as (
    select
        delivered_order_items.order_id,
        delivered_order_items.line_no,
        delivered_order_items.product_id,
        delivered_order_items.quantity,
        {{ home_price('delivered_order_items.unit_price') }} as unit_price,
        {{ home_amount('delivered_order_items.discount_amount') }} as discount_amount,
        orders.customer_id,
        orders.ordered_at,
        orders.ordered_on
    from delivered_order_items
    inner join orders on delivered_order_items.order_id = orders.order_id

    union all

    select
        order_id,
        cast(row_number() over (
            partition by order_id
            order by line_no, product_id, ordered_at, quantity, unit_price, discount_amount, product_name, category
        ) as integer) as line_no,
        product_id,
        quantity,
        unit_price,
        cast(discount_amount as decimal(18, 2)) as discount_amount,
        customer_id,
        ordered_at,
        ordered_on
    from priced_lines
    anti join delivered_order_items using (order_id)
    where not is_return and status = 'completed'
)

select * from final
