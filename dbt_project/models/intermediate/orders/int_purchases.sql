{{ config(materialized='view') }}

with

orders as (
    select * from {{ ref('int_orders') }}
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
        order_number,
        gap_days
    from orders
    where status = 'completed'
)

select * from final
