with

-- A payment after its due date is seen on the day it comes in.
late_payments as (
    select * from {{ ref('int_orders') }}
    where paid_on > due_on
),

seen as (
    {{ at_snapshots('late_payments', 'paid_on', within=365) }}
),

final as (
    select
        snapshot_on,
        customer_id,
        cast(count(*) as integer) as late_payments_365d,
        cast(max({{ days_between('due_on', 'paid_on') }}) as integer) as longest_payment_delay_days_365d
    from seen
    group by snapshot_on, customer_id
)

select * from final
