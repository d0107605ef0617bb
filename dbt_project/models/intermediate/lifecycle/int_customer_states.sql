with

order_days as (
    select * from {{ ref('int_order_days') }}
),

snapshots as (
    select * from {{ ref('snapshots') }}
),

stages as (
    select * from {{ ref('lifecycle_history') }}
),

unit_states as (
    select
        snapshots.snapshot_on,
        order_days.customer_id,
        order_days.unit_id,
        order_days.ordered_on,
        order_days.interval_basis,
        order_days.expected_interval_days,
        order_days.segment,
        order_days.own_median_days,
        {{ days_between('order_days.ordered_on', 'snapshots.snapshot_on') }} as days_since_unit_order,
        {{ days_between('order_days.ordered_on', 'snapshots.snapshot_on') }}
        / cast(order_days.expected_interval_days as double) as overdue_ratio
    from order_days
    inner join snapshots
        on order_days.ordered_on <= snapshots.snapshot_on
        and (order_days.next_ordered_on is null or order_days.next_ordered_on > snapshots.snapshot_on)
),

ranked as (
    select
        *,
        count(*) over (partition by snapshot_on, customer_id) as units,
        row_number() over (
            partition by snapshot_on, customer_id
            order by
                overdue_ratio {{ 'asc' if var('lifecycle_rollup') == 'all' else 'desc' }},
                ordered_on desc,
                unit_id
        ) as unit_rank
    from unit_states
),

final as (
    select
        ranked.snapshot_on,
        ranked.customer_id,
        stages.stage,
        stages.valid_from as stage_since,
        cast(ranked.units as integer) as units,
        ranked.unit_id as deciding_unit_id,
        ranked.segment,
        ranked.own_median_days,
        ranked.ordered_on as deciding_ordered_on,
        ranked.interval_basis,
        ranked.expected_interval_days,
        cast(floor(ranked.overdue_ratio) as integer) as missed_intervals,
        ranked.overdue_ratio
    from ranked
    inner join stages
        on ranked.customer_id = stages.customer_id
        and ranked.snapshot_on >= stages.valid_from
        and (stages.valid_to is null or ranked.snapshot_on < stages.valid_to)
    where ranked.unit_rank = 1
)

select * from final
