with delivered_returns as (
    select * from {{ ref('delivered_returns') }}
),

priced_orders as (
    select * from {{ ref('priced_orders') }}
),

priced_lines as (
    select * from {{ ref('priced_lines') }}
),

test_accounts as (
    select * from {{ ref('test_accounts') }}
),

-- sources write a refund with either sign
from_returns as (
    select
        delivered_returns.return_id,
        delivered_returns.order_id,
        coalesce(delivered_returns.customer_id, priced_orders.customer_id) as customer_id,
        delivered_returns.returned_at,
        delivered_returns.returned_on,
        abs(delivered_returns.amount) as amount,
        abs(delivered_returns.quantity) as quantity,
        delivered_returns.product_id,
        delivered_returns.reason,
        coalesce(priced_orders.home_rate, 1) as home_rate
    from delivered_returns
    left join priced_orders on delivered_returns.order_id = priced_orders.order_id
),

from_negative_orders as (
    select
        'order ' || order_id as return_id,
        order_id,
        customer_id,
        ordered_at as returned_at,
        ordered_on as returned_on,
        -net_amount as amount,
        cast(null as decimal(18, 3)) as quantity,
        cast(null as string) as product_id,
        'negative order' as reason,
        1 as home_rate
    from priced_orders
    where is_return
),

from_lines as (
    select
        'line ' || order_id || ' ' || row_number() over (
            partition by order_id
            order by product_id, ordered_at, quantity, unit_price, discount_amount, product_name, category
        ) as return_id,
        order_id,
        customer_id,
        ordered_at as returned_at,
        ordered_on as returned_on,
        cast(abs(gross_amount) as decimal(18, 2)) as amount,
        abs(quantity) as quantity,
        product_id,
        'taken back in order lines' as reason,
        1 as home_rate
    from priced_lines
    where is_return
),

all_returns as (
    select * from from_returns
    union all
    select * from from_negative_orders
    union all
    select * from from_lines
),

final as (
    select
        return_id,
        order_id,
        customer_id,
        returned_at,
        returned_on,
        {{ home_amount('amount') }} as amount,
        quantity,
        product_id,
        reason
    from all_returns
    -- some returns tell no customer: whose they are, only the order says
    anti join test_accounts using (customer_id)
)

select * from final
