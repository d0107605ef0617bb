with

orders as (
    select * from {{ ref('int_orders') }}
),

final as (
    select
        order_id,
        customer_id,
        ordered_at,
        ordered_on,
        status,
        order_number,
        gap_days,
        net_amount,
        gross_amount,
        discount_amount,
        cost_amount,
        case when status = 'completed' then profit_amount end as profit_amount,
        case when status = 'completed' then profit_basis end as profit_basis,
        currency,
        channel,
        store_id,
        asset_id,
        coupon_code,
        category,
        lines,
        quantity,
        due_on,
        paid_on
    from orders
)

select * from final
