with

customers as (
    select * from {{ ref('dim_customer') }}
    where is_company
),

reps as (
    select * from {{ ref('dim_rep') }}
),

refusals as (
    select * from {{ ref('int_profiling_refusals') }}
),

lifecycle as (
    select * from {{ ref('customer_lifecycle') }}
),

customer_value as (
    select * from {{ ref('customer_value') }}
),

-- the calendar month after the last one that is over
this_month as (
    select {{ month_start(days_after(as_of(), 1)) }} as month_start_on
),

months as (
    select
        customer_id,
        {{ month_start('ordered_on') }} as month_start_on,
        sum(net_amount) as net_amount,
        sum(profit_amount) as profit_amount
    from {{ ref('int_customer_days') }}
    group by customer_id, {{ month_start('ordered_on') }}
),

last_months as (
    select
        customer_id,
        min(month_start_on) as first_month_on,
        max(month_start_on) as last_month_on
    from months
    group by customer_id
),

-- what the account used to be: the months up to its last order, the one of that order included
habits as (
    select
        last_months.customer_id,
        last_months.first_month_on,
        last_months.last_month_on,
        count(*) as months_with_orders,
        sum(months.net_amount) as net_amount,
        sum(months.profit_amount) as profit_amount
    from last_months
    inner join months
        on last_months.customer_id = months.customer_id
        and months.month_start_on > {{ months_after('last_months.last_month_on', '-' ~ var('regular_account_window_months')) }}
    group by last_months.customer_id, last_months.first_month_on, last_months.last_month_on
),

counted as (
    select
        habits.*,
        datediff('month', habits.last_month_on, this_month.month_start_on) - 1 as empty_months,
        datediff('month', habits.first_month_on, habits.last_month_on) + 1 as months_together
    from habits
    cross join this_month
),

final as (
    select
        {{ as_of() }} as as_of_date,
        counted.customer_id,
        reps.acting_rep_id as owner_id,
        customers.industry,
        customers.region,
        customer_value.value_tier,
        lifecycle.lifecycle_stage,
        lifecycle.first_order_on,
        lifecycle.last_order_on,
        {{ months_after('counted.last_month_on', 1) }} as silent_from_month,
        cast(counted.empty_months as integer) as empty_months,
        counted.empty_months = {{ var('silent_account_months') }} as is_newly_silent,
        cast(counted.months_together as integer) as months_together,
        cast(counted.months_with_orders as integer) as months_with_orders,
        cast({{ var('regular_account_window_months') }} as integer) as window_months,
        cast(counted.net_amount / cast({{ var('regular_account_window_months') }} as double) as decimal(18, 2)) as usual_monthly_amount,
        cast(counted.profit_amount / cast({{ var('regular_account_window_months') }} as double) as decimal(18, 2)) as usual_monthly_profit,
        cast(counted.empty_months * counted.net_amount / cast({{ var('regular_account_window_months') }} as double) as decimal(18, 2))
            as missed_amount
    from counted
    inner join customers on counted.customer_id = customers.customer_id
    left join reps on customers.owner_id = reps.rep_id
    inner join lifecycle on counted.customer_id = lifecycle.customer_id
    left join customer_value on counted.customer_id = customer_value.customer_id
    anti join refusals on counted.customer_id = refusals.customer_id
    where
        counted.empty_months >= {{ var('silent_account_months') }}
        and counted.months_together >= {{ var('regular_account_window_months') }}
        and counted.months_with_orders >= {{ var('regular_account_min_months') }}
)

select * from final
