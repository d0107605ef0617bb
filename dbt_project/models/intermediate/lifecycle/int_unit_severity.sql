with

order_days as (
    select * from {{ ref('int_order_days') }}
),

-- An order day is followed by one change of severity for every interval that passes without another.
changes as (
    select
        order_days.customer_id,
        order_days.unit_id,
        missed.severity,
        {{ days_after('order_days.ordered_on', 'missed.severity * order_days.expected_interval_days') }} as valid_from
    from order_days
    cross join (values (0), (1), (2), (3)) as missed (severity)
    where
        {{ days_after('order_days.ordered_on', 'missed.severity * order_days.expected_interval_days') }}
        < coalesce(order_days.next_ordered_on, {{ days_after(as_of(), 1) }})
),

final as (
    {{ severity_spells('changes', ['customer_id', 'unit_id']) }}
)

select * from final
