with

order_days as (
    select * from {{ ref('int_order_days') }}
    where next_ordered_on is null
),

stages as (
    select * from {{ ref('lifecycle_history_unit') }}
    where valid_to is null
),

assets as (
    select * from {{ ref('stg_assets') }}
),

customers as (
    select * from {{ ref('customer_lifecycle') }}
),

final as (
    select
        order_days.unit_id,
        order_days.customer_id,
        order_days.unit_id <> order_days.customer_id as is_asset,
        assets.kind as asset_kind,
        stages.stage as unit_stage,
        stages.valid_from as stage_since_on,
        order_days.ordered_on as last_order_on,
        order_days.order_day_number as order_days,
        order_days.interval_basis,
        order_days.expected_interval_days,
        cast({{ days_between('order_days.ordered_on', as_of()) }} as integer) as days_since_last_order,
        cast(
            floor({{ days_between('order_days.ordered_on', as_of()) }} / cast(order_days.expected_interval_days as double))
            as integer
        ) as missed_intervals,
        {{ days_between('order_days.ordered_on', as_of()) }} / cast(order_days.expected_interval_days as double)
            as overdue_ratio,
        {{ is_past_red_line(
            days_between('order_days.ordered_on', as_of()) ~ ' / cast(order_days.expected_interval_days as double)'
        ) }} as is_past_red_line,
        {{ days_after('order_days.ordered_on', 'order_days.expected_interval_days') }} as expected_next_order_on,
        customers.lifecycle_stage as customer_stage,
        order_days.unit_id = customers.deciding_unit_id as is_deciding
    from order_days
    inner join stages on order_days.customer_id = stages.customer_id and order_days.unit_id = stages.unit_id
    inner join customers on order_days.customer_id = customers.customer_id
    left join assets on order_days.unit_id = assets.asset_id
)

select * from final
