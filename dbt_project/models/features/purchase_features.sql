with

states as (
    select * from {{ ref('int_customer_states') }}
),

customer_days as (
    select * from {{ ref('int_customer_days') }}
),

first_days as (
    select
        customer_id,
        profit_amount
    from {{ ref('int_customer_days') }}
    where order_day_number = 1
),

purchases as (
    select * from {{ ref('int_features_purchases') }}
),

final as (
    select
        states.snapshot_on,
        states.customer_id,

        -- where the customer stands
        states.stage,
        cast({{ days_between('states.stage_since', 'states.snapshot_on') }} as integer) as days_in_stage,
        states.expected_interval_days,
        states.overdue_ratio,

        -- rhythm
        cast({{ days_between('customer_days.ordered_on', 'states.snapshot_on') }} as integer) as recency_days,
        cast({{ days_between('customer_days.first_ordered_on', 'states.snapshot_on') }} as integer) as tenure_days,
        customer_days.order_day_number as order_days,
        customer_days.orders_so_far as orders,
        customer_days.gap_days as last_gap_days,
        states.own_median_days as median_gap_days,
        customer_days.longest_gap_days,
        {{ mean_gap_days() }} as mean_gap_days,
        {{ gap_deviation_days() }} as gap_deviation_days,

        -- orders and money
        {% for days in [30, 90, 180] -%}
        coalesce(purchases.orders_{{ days }}d, 0) as orders_{{ days }}d,
        {% endfor -%}
        {% for days in [90, 180] -%}
        coalesce(purchases.net_amount_{{ days }}d, 0) as net_amount_{{ days }}d,
        {% endfor -%}
        cast(customer_days.net_amount_so_far as double) / customer_days.order_day_number as average_order_amount,
        customer_days.profit_amount as last_order_profit,
        cast(customer_days.profit_amount_so_far as double) / customer_days.order_day_number as average_order_profit,
        cast(customer_days.profit_amount_so_far - first_days.profit_amount as double)
        / nullif(customer_days.order_day_number - 1, 0) as repeat_order_profit,
        cast(customer_days.discounted_orders_so_far as double) / customer_days.orders_so_far as discounted_order_share,
        customer_days.categories_so_far as categories
    from states
    inner join customer_days on {{ is_last_order_day('states') }}
    inner join first_days on states.customer_id = first_days.customer_id
    left join purchases
        on states.snapshot_on = purchases.snapshot_on and states.customer_id = purchases.customer_id
)

select * from final
