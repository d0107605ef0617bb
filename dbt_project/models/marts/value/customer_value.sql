with

customers as (
    select * from {{ ref('int_customers') }}
),

customer_days as (
    select * from {{ ref('int_customer_days') }}
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

supplied as (
    {{ facts_given(ref('source_inventory'), {
        'discounts': ['orders.discount_amount', 'order_items.unit_price', 'order_lines.unit_price'],
        'coupons': ['orders.coupon_code'],
        'returns': ['returns.return_id'],
    }) }}
),

refusals as (
    select * from {{ ref('int_profiling_refusals') }}
),

tier_policy as (
    select * from {{ ref('tier_policy') }}
),

last_year as (
    select
        customer_id,
        count(*) as orders,
        count(*) filter (where discount_amount > 0 or coupon_code is not null) as discounted_orders,
        sum(net_amount) as net_amount,
        sum(discount_amount) as discount_amount,
        sum(profit_amount) as profit_amount,
        bool_or(profit_basis = 'default_margin') as is_profit_estimated
    from purchases
    group by customer_id
),

last_days as (
    select * from customer_days
    where next_ordered_on is null
),

first_orders as (
    select
        {{ as_of() }} as snapshot_on,
        cast(profit_amount as double) / orders as profit_amount
    from customer_days
    where order_day_number = 1
),

average_first_order as (
    {{ average_first_order('first_orders') }}
),

returned as (
    select count(*) > 0 as is_told
    from returns
),

measured as (
    select
        customers.customer_id,
        coalesce(last_year.orders, 0) as orders_12m,
        coalesce(last_year.net_amount, 0) as monetary_12m,
        case when supplied.discounts then coalesce(last_year.discount_amount, 0) end as discount_12m,
        -- orders and lines with a negative amount are returns as well
        case when supplied.returns or returned.is_told then coalesce(returns.returned_12m, 0) end as returned_12m,
        coalesce(last_year.profit_amount, 0) - coalesce(returns.lost_profit_12m, 0) as gross_profit_12m,
        case when supplied.discounts or supplied.coupons then coalesce(last_year.discounted_orders, 0) end
            as discounted_orders_12m,
        coalesce(last_days.orders_so_far, 0) as orders_total,
        case when supplied.discounts or supplied.coupons then coalesce(last_days.discounted_orders_so_far, 0) end
            as discounted_orders_total,
        coalesce(last_days.net_amount_so_far, 0) as monetary_total,
        coalesce(last_days.profit_amount_so_far, 0) - coalesce(returns.lost_profit, 0) as gross_profit_total,
        coalesce(last_year.is_profit_estimated, false) as is_profit_estimated,
        last_days.ordered_on as last_order_on,
        average_first_order.profit_amount as first_order_profit
    from customers
    cross join supplied
    cross join returned
    left join last_days on customers.customer_id = last_days.customer_id
    left join last_year on customers.customer_id = last_year.customer_id
    left join returns on customers.customer_id = returns.customer_id
    left join average_first_order on average_first_order.snapshot_on = {{ as_of() }}
),

-- sums of his own orders are kept of everybody; who objected to profiling is compared with nobody, and nobody with him
ranked as (
    select
        customer_id,
        percent_rank() over (order by gross_profit_12m) as profit_rank,
        percent_rank() over (order by orders_12m) as frequency_rank,
        percent_rank() over (order by monetary_12m) as monetary_rank,
        percent_rank() over (order by last_order_on) as recency_rank
    from measured
    anti join refusals using (customer_id)
    where orders_total > 0
),

scored as (
    select
        *,
        {{ value_score({
            'profit': 'profit_rank',
            'frequency': 'frequency_rank',
            'recency': 'recency_rank',
            'monetary': 'monetary_rank',
        }) }} as value_score
    from ranked
),

placed as (
    select
        *,
        percent_rank() over (order by value_score desc) as share_above
    from scored
),

tiered as (
    select
        measured.*,
        placed.profit_rank,
        placed.frequency_rank,
        placed.recency_rank,
        placed.monetary_rank,
        placed.value_score,
        placed.share_above,
        {{ value_tier('measured.gross_profit_12m', 'placed.share_above') }} as value_tier
    from measured
    left join placed on measured.customer_id = placed.customer_id
),

final as (
    select
        tiered.customer_id,
        cast(tiered.orders_12m as integer) as orders_12m,
        cast(tiered.monetary_12m as decimal(18, 2)) as monetary_12m,
        cast(tiered.discount_12m as decimal(18, 2)) as discount_12m,
        cast(tiered.returned_12m as decimal(18, 2)) as returned_12m,
        cast(tiered.gross_profit_12m as decimal(18, 2)) as gross_profit_12m,
        tiered.orders_total,
        cast(tiered.monetary_total as decimal(18, 2)) as monetary_total,
        cast(tiered.gross_profit_total as decimal(18, 2)) as gross_profit_total,
        cast(
            {{ expected_order_profit('tiered.gross_profit_total', 'tiered.orders_total', 'tiered.first_order_profit') }}
            as decimal(18, 2)
        ) as average_order_profit,
        tiered.is_profit_estimated,
        cast(tiered.discounted_orders_12m as integer) as discounted_orders_12m,
        tiered.discounted_orders_total,
        case
            when refusals.customer_id is null then {{ ratio('tiered.discounted_orders_total', 'tiered.orders_total') }}
        end as discount_dependency,
        tiered.profit_rank,
        tiered.frequency_rank,
        tiered.recency_rank,
        tiered.monetary_rank,
        {{ fifth('tiered.recency_rank') }} as recency_score,
        {{ fifth('tiered.frequency_rank') }} as frequency_score,
        {{ fifth('tiered.monetary_rank') }} as monetary_score,
        {{ fifth('tiered.profit_rank') }} as profit_score,
        tiered.value_score,
        tiered.value_tier,
        tier_policy.treatment,
        case
            when tiered.value_tier = 'core' and tiered.share_above < {{ var('value_vip_share') }} then 'VIP'
            else 'normal'
        end as grade_vip
    from tiered
    left join tier_policy on tiered.value_tier = tier_policy.value_tier
    left join refusals on tiered.customer_id = refusals.customer_id
)

select * from final
