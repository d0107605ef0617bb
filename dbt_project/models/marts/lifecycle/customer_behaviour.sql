with

lifecycle as (
    select lifecycle.*
    from {{ ref('customer_lifecycle') }} as lifecycle
    anti join {{ ref('int_profiling_refusals') }} as refusals on lifecycle.customer_id = refusals.customer_id
    where lifecycle.lifecycle_stage <> 'prospect'
),

orders as (
    select * from {{ ref('int_orders') }}
),

usage_kind as (
    select * from {{ ref('usage_kind') }}
),

usage_events as (
    select
        usage_events.*,
        coalesce(usage_kind.usage_group = 'visit', false) as is_visit
    from {{ ref('stg_usage_events') }} as usage_events
    left join usage_kind on lower(usage_events.kind) = usage_kind.kind
),

supplied as (
    select
        (select count(*) from usage_events) > 0 as has_usage,
        -- where no payment is ever told, all would seem unpaid
        (select count(due_on) > 0 and count(paid_on) > 0 from orders) as has_payments
),

bought as (
    select
        customer_id,
        count(*) filter (where ordered_on > {{ days_after(as_of(), -30) }}) as orders_30d,
        count(*) filter (where ordered_on > {{ days_after(as_of(), -90) }}) as orders_90d,
        count(*) filter (
            where ordered_on > {{ days_after(as_of(), -180) }} and ordered_on <= {{ days_after(as_of(), -90) }}
        ) as orders_previous_90d,
        count(*) as orders_365d
    from orders
    where status = 'completed' and ordered_on > {{ days_after(as_of(), -365) }}
    group by customer_id
),

-- an invoice is late while it is unpaid after its day, and remains one that was paid late
paid as (
    select
        customer_id,
        count(*) filter (where coalesce(paid_on, {{ as_of() }}) > due_on) as late_payments_365d,
        max({{ days_between('due_on', 'coalesce(paid_on, ' ~ as_of() ~ ')') }}) as longest_delay,
        count(*) as invoices_365d,
        count(*) filter (where paid_on is null and due_on < {{ as_of() }}) as unpaid_overdue_invoices,
        sum(net_amount) filter (where paid_on is null and due_on < {{ as_of() }}) as unpaid_overdue_amount
    from orders
    where
        status = 'completed'
        and due_on is not null
        and due_on > {{ days_after(as_of(), -365) }}
        and due_on <= {{ as_of() }}
    group by customer_id
),

used as (
    select
        customer_id,
        count(*) filter (where occurred_on > {{ days_after(as_of(), -30) }}) as usage_30d,
        count(*) filter (where occurred_on > {{ days_after(as_of(), -90) }}) as usage_90d,
        count(*) filter (
            where occurred_on > {{ days_after(as_of(), -180) }} and occurred_on <= {{ days_after(as_of(), -90) }}
        ) as usage_previous_90d,
        count(*) filter (where occurred_on > {{ days_after(as_of(), -365) }}) as usage_365d,
        count(*) filter (where is_visit and occurred_on > {{ days_after(as_of(), -90) }}) as visits_90d,
        count(*) filter (
            where
                is_visit and occurred_on > {{ days_after(as_of(), -180) }} and occurred_on <= {{ days_after(as_of(), -90) }}
        ) as visits_previous_90d,
        sum(quantity) filter (where occurred_on > {{ days_after(as_of(), -90) }}) as usage_quantity_90d,
        max(occurred_on) as last_used_on
    from usage_events
    group by customer_id
),

final as (
    select
        lifecycle.customer_id,
        lifecycle.lifecycle_stage,
        lifecycle.days_since_last_order,
        cast(coalesce(bought.orders_30d, 0) as integer) as orders_30d,
        cast(coalesce(bought.orders_90d, 0) as integer) as orders_90d,
        cast(coalesce(bought.orders_previous_90d, 0) as integer) as orders_previous_90d,
        cast(coalesce(bought.orders_365d, 0) as integer) as orders_365d,
        {{ trend('coalesce(bought.orders_90d, 0)', 'coalesce(bought.orders_previous_90d, 0)') }} as order_trend,
        cast(case when supplied.has_usage then coalesce(used.usage_30d, 0) end as integer) as usage_events_30d,
        cast(case when supplied.has_usage then coalesce(used.usage_90d, 0) end as integer) as usage_events_90d,
        cast(case when supplied.has_usage then coalesce(used.usage_previous_90d, 0) end as integer)
            as usage_events_previous_90d,
        cast(case when supplied.has_usage then coalesce(used.usage_365d, 0) end as integer) as usage_events_365d,
        cast(case when supplied.has_usage then coalesce(used.usage_quantity_90d, 0) end as decimal(18, 3))
            as usage_quantity_90d,
        cast(case when supplied.has_usage then coalesce(used.visits_90d, 0) end as integer) as visits_90d,
        cast(case when supplied.has_usage then coalesce(used.visits_previous_90d, 0) end as integer) as visits_previous_90d,
        case
            when supplied.has_usage
                then {{ trend('coalesce(used.visits_90d, 0)', 'coalesce(used.visits_previous_90d, 0)') }}
        end as visit_trend,
        cast({{ days_between('used.last_used_on', as_of()) }} as integer) as days_since_usage,
        case
            when supplied.has_usage
                then {{ trend('coalesce(used.usage_90d, 0)', 'coalesce(used.usage_previous_90d, 0)') }}
        end as usage_trend,
        cast(case when supplied.has_payments then coalesce(paid.invoices_365d, 0) end as integer) as invoices_365d,
        cast(case when supplied.has_payments then coalesce(paid.late_payments_365d, 0) end as integer)
            as late_payments_365d,
        cast(case when paid.late_payments_365d > 0 then paid.longest_delay end as integer) as longest_payment_delay_days,
        cast(case when supplied.has_payments then coalesce(paid.unpaid_overdue_invoices, 0) end as integer)
            as unpaid_overdue_invoices,
        cast(case when supplied.has_payments then coalesce(paid.unpaid_overdue_amount, 0) end as decimal(18, 2))
            as unpaid_overdue_amount
    from lifecycle
    cross join supplied
    left join bought on lifecycle.customer_id = bought.customer_id
    left join paid on lifecycle.customer_id = paid.customer_id
    left join used on lifecycle.customer_id = used.customer_id
)

select * from final
