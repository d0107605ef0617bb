with

orders as (
    select * from {{ ref('stg_orders') }}
),

contents as (
    select * from {{ ref('int_order_contents') }}
),

costed as (
    select
        orders.*,
        contents.category,
        contents.lines,
        contents.quantity,
        contents.service_interval_days,
        coalesce(orders.cost_amount, contents.cost_amount) as known_cost_amount,
        case
            when orders.cost_amount is not null then 'order_cost'
            when contents.cost_amount is not null then 'item_cost'
            else 'default_margin'
        end as profit_basis
    from orders
    left join contents on orders.order_id = contents.order_id
),

final as (
    select
        order_id,
        customer_id,
        coalesce(asset_id, customer_id) as unit_id,
        ordered_at,
        ordered_on,
        status,
        net_amount,
        gross_amount,
        case
            when discount_amount is not null then discount_amount
            when gross_amount >= net_amount then cast(gross_amount - net_amount as decimal(18, 2))
            when gross_amount is not null then 0
        end as discount_amount,
        known_cost_amount as cost_amount,
        cast(
            coalesce(
                net_amount - known_cost_amount,
                net_amount * cast({{ var('default_margin') }} as decimal(5, 4))
            ) as decimal(18, 2)
        ) as profit_amount,
        profit_basis,
        currency,
        channel,
        store_id,
        asset_id,
        coupon_code,
        due_on,
        paid_on,
        category,
        lines,
        quantity,
        service_interval_days,
        case when status = 'completed' then cast(row_number() over placed as integer) end as order_number,
        case
            when status = 'completed'
                then cast({{ days_between('lag(ordered_on) over placed', 'ordered_on') }} as integer)
        end as gap_days
    from costed
    -- Completed orders are numbered among themselves.
    window placed as (partition by customer_id, status = 'completed' order by ordered_at, order_id)
)

select * from final
