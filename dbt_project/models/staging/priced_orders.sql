with delivered_orders as (
    select * from {{ ref('delivered_orders') }}
),

line_orders as (
    select * from {{ ref('line_orders') }}
),

currency_rates as (
    select * from {{ ref('currency_rates') }}
),

rated as (
    {{ rated_rows('delivered_orders') }}
),

all_orders as (
    select
        order_id,
        customer_id,
        ordered_at,
        ordered_on,
        {{ home_amount('net_amount') }} as net_amount,
        status,
        currency,
        {{ home_amount('gross_amount') }} as gross_amount,
        {{ home_amount('discount_amount') }} as discount_amount,
        {{ home_amount('cost_amount') }} as cost_amount,
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
        cast(null as string) as country,
        home_rate
    from rated

    union all

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
        cast(null as string) as asset_id,
        cast(null as string) as coupon_code,
        cast(null as timestamp) as paid_at,
        cast(null as date) as paid_on,
        cast(null as timestamp) as due_at,
        cast(null as date) as due_on,
        cast(null as timestamp) as updated_at,
        cast(null as date) as updated_on,
        country,
        cast(1 as decimal(18, 9)) as home_rate
    from line_orders
    anti join delivered_orders using (order_id)
),

final as (
    select
        *,
        net_amount < 0 and {{ took_place() }} as is_return
    from all_orders
)

select * from final
