with

purchases as (
    select
        *,
        category is not null
        and row_number() over (partition by customer_id, category order by order_number) = 1 as is_first_of_category
    from {{ ref('int_purchases') }}
),

-- The position of an order is unique, which makes the last order of a day a definite one. Engines disagree on what the
-- last value is where it is NULL: the last one given is taken.
days as (
    select
        customer_id,
        ordered_on,
        count(*) as orders,
        sum(net_amount) as net_amount,
        sum(profit_amount) as profit_amount,
        sum(discount_amount) as discount_amount,
        count(*) filter (where discount_amount > 0 or coupon_code is not null) as discounted_orders,
        count(*) filter (where is_first_of_category) as new_categories,
        sum(quantity) as quantity,
        max(order_number) as last_order_number,
        max_by(channel, order_number) filter (where channel is not null) as channel,
        max_by(store_id, order_number) filter (where store_id is not null) as store_id,
        max_by(category, order_number) filter (where category is not null) as category,
        max_by(net_amount, order_number) as last_order_amount
    from purchases
    group by customer_id, ordered_on
),

spaced as (
    select
        *,
        cast(row_number() over placed as integer) as order_day_number,
        lead(ordered_on) over placed as next_ordered_on,
        {{ days_between('lag(ordered_on) over placed', 'ordered_on') }} as gap_days
    from days
    window placed as (partition by customer_id order by ordered_on)
),

final as (
    select
        customer_id,
        ordered_on,
        next_ordered_on,
        order_day_number,
        cast(gap_days as integer) as gap_days,
        cast(orders as integer) as orders,
        cast(net_amount as decimal(18, 2)) as net_amount,
        cast(profit_amount as decimal(18, 2)) as profit_amount,
        cast(discount_amount as decimal(18, 2)) as discount_amount,
        cast(discounted_orders as integer) as discounted_orders,
        cast(quantity as decimal(18, 3)) as quantity,
        channel,
        store_id,
        category,
        last_order_amount,
        last_order_number as orders_so_far,
        min(ordered_on) over so_far as first_ordered_on,
        cast(sum(net_amount) over so_far as decimal(18, 2)) as net_amount_so_far,
        cast(sum(profit_amount) over so_far as decimal(18, 2)) as profit_amount_so_far,
        cast(sum(discounted_orders) over so_far as integer) as discounted_orders_so_far,
        cast(sum(new_categories) over so_far as integer) as categories_so_far,
        cast(max(gap_days) over so_far as integer) as longest_gap_days,
        cast(sum(cast(gap_days as bigint) * gap_days) over so_far as bigint) as squared_gaps_so_far
    from spaced
    window so_far as (
        partition by customer_id order by ordered_on rows between unbounded preceding and current row
    )
)

select * from final
