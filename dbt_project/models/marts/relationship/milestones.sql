with

relationships as (
    select * from {{ ref('int_relationships') }}
    where is_workable
),

opportunities as (
    select * from {{ ref('fct_opportunities') }}
),

orders as (
    select * from {{ ref('fct_orders') }}
),

follow_ups as (
    select * from {{ ref('customer_follow_up') }}
),

revisits as (
    select * from {{ ref('revisit_plan') }}
),

order_days as (
    select * from {{ ref('int_order_days') }}
),

inventory as (
    select * from {{ ref('source_inventory') }}
),

milestone_kind as (
    select * from {{ ref('milestone_kind') }}
),

open_nodes as (
    select
        customer_id,
        'signing_expected' as kind,
        opportunity_id as ref_id,
        expected_close_on as due_on,
        quoted_amount as amount
    from opportunities
    where status = 'open' and expected_close_on is not null
    union all
    select
        orders.customer_id,
        'payment_due' as kind,
        orders.order_id as ref_id,
        orders.due_on,
        orders.net_amount as amount
    from orders
    -- where payments are not recorded, an order without one is no debt
    cross join (
        {{ columns_given('inventory', 'orders', {'has_payments': 'paid_at'}) }}
    ) as payments
    where
        payments.has_payments
        and orders.status = 'completed'
        and orders.due_on is not null
        and orders.paid_on is null
    union all
    select
        customer_id,
        'follow_up_due' as kind,
        customer_id as ref_id,
        next_follow_up_on as due_on,
        cast(null as decimal(18, 2)) as amount
    from follow_ups
    union all
    select
        customer_id,
        'revisit_due' as kind,
        customer_id as ref_id,
        due_on,
        cast(null as decimal(18, 2)) as amount
    from revisits
    where due_on is not null
    union all
    select
        customer_id,
        'service_due' as kind,
        unit_id as ref_id,
        {{ days_after('ordered_on', 'expected_interval_days') }} as due_on,
        cast(null as decimal(18, 2)) as amount
    from order_days
    where next_ordered_on is null and interval_basis in ('asset', 'product')
),

final as (
    select
        open_nodes.kind,
        open_nodes.ref_id,
        open_nodes.customer_id,
        relationships.acting_owner_id as owner_id,
        open_nodes.due_on,
        {{ days_after('open_nodes.due_on', '-milestone_kind.remind_days_before') }} as remind_on,
        {{ days_after('open_nodes.due_on', '-milestone_kind.remind_days_before') }} <= {{ as_of() }} as is_reminder_due,
        open_nodes.due_on < {{ as_of() }} as is_overdue,
        cast({{ days_between(as_of(), 'open_nodes.due_on') }} as integer) as days_until_due,
        cast(open_nodes.amount as decimal(18, 2)) as amount
    from open_nodes
    inner join relationships on open_nodes.customer_id = relationships.customer_id
    inner join milestone_kind on open_nodes.kind = milestone_kind.kind
    where
        open_nodes.due_on <= {{ days_after(as_of(), var('milestone_ahead_days')) }}
        and (
            milestone_kind.keeps_days_overdue is null
            or {{ days_between('open_nodes.due_on', as_of()) }} <= milestone_kind.keeps_days_overdue
        )
)

select * from final
