with

order_items as (
    select * from {{ ref('stg_order_items') }}
),

orders as (
    select * from {{ ref('int_orders') }}
),

products as (
    select * from {{ ref('stg_products') }}
),

supplied as (
    {{ facts_given(ref('source_inventory'), {
        'has_discounts': ['order_items.discount_amount', 'order_lines.discount_amount']
    }) }}
),

-- Cast before calculating: on 36 digits that takes longer than all the rest.
priced as (
    select
        order_items.order_id,
        order_items.line_no,
        orders.customer_id,
        orders.ordered_on,
        orders.status,
        order_items.product_id,
        products.category,
        order_items.quantity,
        order_items.unit_price,
        coalesce(order_items.discount_amount, 0) as discount_amount,
        supplied.has_discounts,
        cast(order_items.quantity * order_items.unit_price as decimal(18, 2)) as gross_amount,
        cast(order_items.quantity * products.unit_cost as decimal(18, 2)) as cost_amount
    from order_items
    cross join supplied
    inner join orders on order_items.order_id = orders.order_id
    left join products on order_items.product_id = products.product_id
),

final as (
    select
        order_id,
        line_no,
        customer_id,
        ordered_on,
        status,
        product_id,
        category,
        quantity,
        unit_price,
        gross_amount,
        case when has_discounts then discount_amount end as discount_amount,
        cast(gross_amount - discount_amount as decimal(18, 2)) as net_amount,
        cost_amount,
        cast(gross_amount - discount_amount - cost_amount as decimal(18, 2)) as profit_amount
    from priced
)

select * from final
