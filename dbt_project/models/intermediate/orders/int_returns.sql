with

returns as (
    select * from {{ ref('stg_returns') }}
),

purchases as (
    select * from {{ ref('int_purchases') }}
),

final as (
    select
        returns.return_id,
        returns.order_id,
        coalesce(returns.customer_id, purchases.customer_id) as customer_id,
        returns.returned_on,
        coalesce(returns.amount, 0) as amount,
        -- What a return takes back of the profit: its share of the order's, where the order is known.
        cast(
            coalesce(returns.amount, 0) * coalesce(
                purchases.profit_amount / nullif(cast(purchases.net_amount as double), 0), {{ var('default_margin') }}
            ) as decimal(18, 2)
        ) as profit_amount,
        returns.quantity,
        returns.product_id,
        returns.reason
    from returns
    left join purchases on returns.order_id = purchases.order_id
    where coalesce(returns.customer_id, purchases.customer_id) is not null
)

select * from final
