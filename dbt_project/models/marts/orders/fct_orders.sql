with

orders as (
    select * from {{ ref('int_orders') }}
),

purchases as (
    select * from {{ ref('int_purchases') }}
),

final as (
    select
        orders.order_id,
        orders.customer_id,
        orders.ordered_at,
        orders.ordered_on,
        orders.status,
        purchases.order_number,
        purchases.gap_days,
        orders.net_amount,
        orders.gross_amount,
        orders.discount_amount,
        orders.cost_amount,
        purchases.profit_amount,
        purchases.profit_basis,
        orders.currency,
        orders.channel,
        orders.store_id,
        orders.asset_id,
        orders.coupon_code,
        orders.category,
        orders.lines,
        orders.quantity,
        orders.due_on,
        orders.paid_on
    from orders
    left join purchases on orders.order_id = purchases.order_id
)

select * from final
