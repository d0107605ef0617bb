with priced_orders as (
    select * from {{ ref('priced_orders') }}
),

test_accounts as (
    select * from {{ ref('test_accounts') }}
),

final as (
    select
        order_id,
        customer_id,
        ordered_at,
        ordered_on,
        net_amount,
        status,
        currency,
        gross_amount,
        discount_amount,
        cost_amount,
        channel,
        store_id,
        asset_id,
        coupon_code,
        paid_at,
        paid_on,
        due_at,
        due_on,
        updated_at,
        updated_on,
        country,
        home_rate
    from priced_orders
    anti join test_accounts using (customer_id)
    where not is_return
)

select * from final
