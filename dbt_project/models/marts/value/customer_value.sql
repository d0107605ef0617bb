with

customers as (
    select * from {{ ref('int_customers') }}
),

last_days as (
    select * from {{ ref('int_customer_days') }}
    where next_ordered_on is null
),

purchases as (
    select * from {{ ref('int_purchases') }}
    where ordered_on > {{ days_after(as_of(), -365) }}
),

returns as (
    select
        customer_id,
        sum(amount) filter (where returned_on > {{ days_after(as_of(), -365) }}) as returned_12m,
        sum(profit_amount) filter (where returned_on > {{ days_after(as_of(), -365) }}) as lost_profit_12m,
        sum(profit_amount) as lost_profit
    from {{ ref('int_returns') }}
    group by customer_id
),

last_year as (
    select
        customer_id,
        count(*) as orders,
        sum(net_amount) as net_amount,
        sum(discount_amount) as discount_amount,
        sum(profit_amount) as profit_amount,
        bool_or(profit_basis = 'default_margin') as is_profit_estimated
    from purchases
    group by customer_id
),

-- What an order of an unknown customer earns: towards it, customers with few orders are drawn.
typical_order as (
    select cast(sum(profit_amount_so_far) as double) / nullif(sum(orders_so_far), 0) as profit_amount
    from last_days
),

measured as (
    select
        customers.customer_id,
        coalesce(last_year.orders, 0) as orders_12m,
        coalesce(last_year.net_amount, 0) as monetary_12m,
        coalesce(last_year.discount_amount, 0) as discount_12m,
        coalesce(returns.returned_12m, 0) as returned_12m,
        coalesce(last_year.profit_amount, 0) - coalesce(returns.lost_profit_12m, 0) as gross_profit_12m,
        coalesce(last_days.orders_so_far, 0) as orders_total,
        coalesce(last_days.net_amount_so_far, 0) as monetary_total,
        coalesce(last_days.profit_amount_so_far, 0) - coalesce(returns.lost_profit, 0) as gross_profit_total,
        coalesce(last_year.is_profit_estimated, false) as is_profit_estimated,
        last_days.ordered_on as last_order_on,
        typical_order.profit_amount as typical_order_profit
    from customers
    cross join typical_order
    left join last_days on customers.customer_id = last_days.customer_id
    left join last_year on customers.customer_id = last_year.customer_id
    left join returns on customers.customer_id = returns.customer_id
),

ranked as (
    select
        customer_id,
        percent_rank() over (order by gross_profit_12m) as profit_rank,
        percent_rank() over (order by orders_12m) as frequency_rank,
        percent_rank() over (order by last_order_on) as recency_rank
    from measured
    where orders_total > 0
),

scored as (
    select
        customer_id,
        profit_rank,
        frequency_rank,
        recency_rank,
        cast(round(100 * (
            {{ var('value_weight_profit') }} * profit_rank
            + {{ var('value_weight_frequency') }} * frequency_rank
            + {{ var('value_weight_recency') }} * recency_rank
        ), 2) as decimal(5, 2)) as value_score
    from ranked
),

placed as (
    select
        *,
        percent_rank() over (order by value_score desc) as share_above
    from scored
),

final as (
    select
        measured.customer_id,
        cast(measured.orders_12m as integer) as orders_12m,
        cast(measured.monetary_12m as decimal(18, 2)) as monetary_12m,
        cast(measured.discount_12m as decimal(18, 2)) as discount_12m,
        cast(measured.returned_12m as decimal(18, 2)) as returned_12m,
        cast(measured.gross_profit_12m as decimal(18, 2)) as gross_profit_12m,
        measured.orders_total,
        cast(measured.monetary_total as decimal(18, 2)) as monetary_total,
        cast(measured.gross_profit_total as decimal(18, 2)) as gross_profit_total,
        cast(
            (
                cast(measured.gross_profit_total as double)
                + {{ var('value_shrinkage_orders') }} * measured.typical_order_profit
            ) / (measured.orders_total + {{ var('value_shrinkage_orders') }}) as decimal(18, 2)
        ) as average_order_profit,
        measured.is_profit_estimated,
        placed.profit_rank,
        placed.frequency_rank,
        placed.recency_rank,
        placed.value_score,
        case
            when measured.gross_profit_12m <= 0 then 'general'
            when placed.share_above < {{ var('value_core_share') }} then 'core'
            when placed.share_above < {{ var('value_core_share') }} + {{ var('value_potential_share') }} then 'potential'
            else 'general'
        end as value_tier
    from measured
    left join placed on measured.customer_id = placed.customer_id
)

select * from final
