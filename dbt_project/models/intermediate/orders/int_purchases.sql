with

orders as (
    select * from {{ ref('int_orders') }}
    where status = 'completed'
),

final as (
    select
        order_id,
        customer_id,
        unit_id,
        ordered_at,
        ordered_on,
        net_amount,
        discount_amount,
        profit_amount,
        profit_basis,
        channel,
        store_id,
        asset_id,
        coupon_code,
        category,
        quantity,
        service_interval_days,
        cast(row_number() over placed as integer) as order_number,
        cast({{ days_between('lag(ordered_on) over placed', 'ordered_on') }} as integer) as gap_days
    from orders
    window placed as (partition by customer_id order by ordered_at, order_id)
)

select * from final
