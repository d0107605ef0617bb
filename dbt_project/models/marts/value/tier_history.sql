with

-- a tier is a place among others: among those who may be judged
customer_days as (
    select customer_days.*
    from {{ ref('int_customer_days') }} as customer_days
    anti join {{ ref('int_profiling_refusals') }} as refusals on customer_days.customer_id = refusals.customer_id
),

first_months as (
    select
        customer_id,
        last_day(ordered_on) as first_month_end_on
    from customer_days
    where order_day_number = 1
),

-- The 365 days before a month-end do not begin where a month does. So an order is counted at the first month-end on or
-- after its day and counted off at the first one on or after the day 365 days later: two rows instead of a join with every
-- month-end between.
changes as (
    select
        customer_id,
        last_day(ordered_on) as month_end_on,
        orders,
        net_amount,
        profit_amount,
        ordered_on
    from customer_days
    union all
    select
        customer_id,
        last_day({{ days_after('ordered_on', 365) }}) as month_end_on,
        -orders as orders,
        -net_amount as net_amount,
        -profit_amount as profit_amount,
        null as ordered_on
    from customer_days
    union all
    select
        customer_id,
        last_day(returned_on) as month_end_on,
        0 as orders,
        0 as net_amount,
        -profit_amount as profit_amount,
        null as ordered_on
    from {{ ref('int_returns') }}
    union all
    select
        customer_id,
        last_day({{ days_after('returned_on', 365) }}) as month_end_on,
        0 as orders,
        0 as net_amount,
        profit_amount,
        null as ordered_on
    from {{ ref('int_returns') }}
),

-- What happened before the first order counts from the month of it on.
changes_by_month as (
    select
        changes.customer_id,
        greatest(changes.month_end_on, first_months.first_month_end_on) as month_end_on,
        sum(changes.orders) as orders,
        sum(changes.net_amount) as net_amount,
        sum(changes.profit_amount) as profit_amount,
        max(changes.ordered_on) as last_ordered_on
    from changes
    inner join first_months on changes.customer_id = first_months.customer_id
    group by changes.customer_id, greatest(changes.month_end_on, first_months.first_month_end_on)
),

months as (
    {{ month_spine('ordered_on', 'customer_days') }}
),

month_ends as (
    select
        first_months.customer_id,
        last_day(months.month_start_on) as month_end_on
    from first_months
    inner join months on first_months.first_month_end_on <= last_day(months.month_start_on)
    where last_day(months.month_start_on) <= {{ as_of() }}
),

measured as (
    select
        month_ends.customer_id,
        month_ends.month_end_on,
        sum(coalesce(changes_by_month.orders, 0)) over so_far as orders_12m,
        sum(coalesce(changes_by_month.net_amount, 0)) over so_far as monetary_12m,
        sum(coalesce(changes_by_month.profit_amount, 0)) over so_far as gross_profit_12m,
        max(changes_by_month.last_ordered_on) over so_far as last_order_on
    from month_ends
    left join changes_by_month
        on
            month_ends.customer_id = changes_by_month.customer_id
            and month_ends.month_end_on = changes_by_month.month_end_on
    window so_far as (
        partition by month_ends.customer_id
        order by month_ends.month_end_on
        rows between unbounded preceding and current row
    )
),

scored as (
    select
        customer_id,
        month_end_on,
        gross_profit_12m,
        {{ value_score({
            'profit': 'percent_rank() over (partition by month_end_on order by gross_profit_12m)',
            'frequency': 'percent_rank() over (partition by month_end_on order by orders_12m)',
            'recency': 'percent_rank() over (partition by month_end_on order by last_order_on)',
            'monetary': 'percent_rank() over (partition by month_end_on order by monetary_12m)',
        }) }} as value_score
    from measured
    where month_end_on > {{ months_after(as_of(), '-' ~ var('tier_history_months')) }}
),

placed as (
    select
        *,
        percent_rank() over (partition by month_end_on order by value_score desc) as share_above
    from scored
),

tiered as (
    select
        customer_id,
        month_end_on,
        value_score,
        {{ value_tier('gross_profit_12m', 'share_above') }} as value_tier
    from placed
),

changed as (
    select
        *,
        lag(value_tier) over (partition by customer_id order by month_end_on) as previous_tier
    from tiered
    qualify value_tier is distinct from previous_tier
),

final as (
    select
        customer_id,
        value_tier,
        previous_tier,
        value_score as value_score_at_start,
        month_end_on as valid_from,
        lead(month_end_on) over (partition by customer_id order by month_end_on) as valid_to
    from changed
)

select * from final
