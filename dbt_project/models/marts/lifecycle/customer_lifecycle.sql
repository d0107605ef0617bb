with

customers as (
    select * from {{ ref('int_customers') }}
),

stages as (
    select * from {{ ref('lifecycle_history') }}
    where valid_to is null
),

states as (
    select * from {{ ref('int_customer_states') }}
    where snapshot_on = {{ as_of() }}
),

last_days as (
    select * from {{ ref('int_customer_days') }}
    where next_ordered_on is null
),

journeys as (
    select * from {{ ref('int_customer_journeys') }}
),

final as (
    select
        customers.customer_id,
        stages.stage as lifecycle_stage,
        stages.valid_from as stage_since_on,
        cast({{ days_between('stages.valid_from', as_of()) }} as integer) as days_in_stage,
        case
            when stages.stage = 'prospect' then 'potential'
            when stages.stage = 'churned' then 'churned'
            when last_days.order_day_number = 1 then 'new'
            else 'mature'
        end as stage_growth,
        journeys.stage_journey,
        customers.known_on,
        last_days.first_ordered_on as first_order_on,
        last_days.ordered_on as last_order_on,
        coalesce(last_days.orders_so_far, 0) as orders,
        coalesce(last_days.order_day_number, 0) as order_days,
        cast({{ days_between('last_days.ordered_on', as_of()) }} as integer) as days_since_last_order,
        coalesce(states.units, 0) as units,
        states.deciding_unit_id,
        states.interval_basis,
        states.expected_interval_days,
        states.missed_intervals,
        states.overdue_ratio,
        {{ is_past_red_line('states.overdue_ratio') }} as is_past_red_line,
        {{ days_after('states.deciding_ordered_on', 'states.expected_interval_days') }} as expected_next_order_on,
        case
            when states.missed_intervals = 0 then 0
            else cast({{ days_between(
                days_after('states.deciding_ordered_on', 'states.expected_interval_days'), as_of()
            ) }} as integer)
        end as days_overdue
    from customers
    inner join stages on customers.customer_id = stages.customer_id
    inner join journeys on customers.customer_id = journeys.customer_id
    left join states on customers.customer_id = states.customer_id
    left join last_days on customers.customer_id = last_days.customer_id
)

select * from final
