with

customer_days as (
    select * from {{ ref('int_customer_days') }}
),

months as (
    {{ month_spine('ordered_on', 'customer_days') }}
),

cohorts as (
    select
        {{ month_start('first_ordered_on') }} as cohort_month,
        count(*) as customers
    from customer_days
    where order_day_number = 1
    group by {{ month_start('first_ordered_on') }}
),

activity as (
    select
        {{ month_start('first_ordered_on') }} as cohort_month,
        {{ month_start('ordered_on') }} as month_start_on,
        count(distinct customer_id) as active_customers,
        sum(orders) as orders,
        sum(net_amount) as net_amount
    from customer_days
    group by {{ month_start('first_ordered_on') }}, {{ month_start('ordered_on') }}
),

periods as (
    select
        cohorts.cohort_month,
        months.month_start_on,
        12 * (extract(year from months.month_start_on) - extract(year from cohorts.cohort_month))
        + extract(month from months.month_start_on) - extract(month from cohorts.cohort_month) as months_since_first,
        last_day(months.month_start_on) <= {{ as_of() }} as is_finished,
        cohorts.customers
    from cohorts
    inner join months on cohorts.cohort_month <= months.month_start_on
),

-- A month that is not over says nothing yet: NULL, not the part of it that was seen.
final as (
    select
        periods.cohort_month,
        cast(periods.months_since_first as integer) as months_since_first,
        cast(periods.customers as integer) as customers,
        case when periods.is_finished then cast(coalesce(activity.active_customers, 0) as integer) end
            as active_customers,
        case when periods.is_finished then cast(coalesce(activity.orders, 0) as integer) end as orders,
        case when periods.is_finished then cast(coalesce(activity.net_amount, 0) as decimal(18, 2)) end as net_amount,
        case
            when periods.is_finished then coalesce(activity.active_customers, 0) / cast(periods.customers as double)
        end as retention_rate
    from periods
    left join activity
        on periods.cohort_month = activity.cohort_month and periods.month_start_on = activity.month_start_on
)

select * from final
