with

-- who has left, and who is about to
reps as (
    select
        rep_id,
        coalesce(departed_on, leaves_on) as leaves_on
    from {{ ref('dim_rep') }}
    where is_departed or leaves_on <= {{ days_after(as_of(), var('handover_ahead_days')) }}
),

relationships as (
    select * from {{ ref('int_relationships') }}
    where is_workable
),

opportunities as (
    select * from {{ ref('fct_opportunities') }}
    where status = 'open'
),

follow_ups as (
    select * from {{ ref('customer_follow_up') }}
    where promise_ref_id is not null
),

debts as (
    select * from {{ ref('milestones') }}
    where kind = 'payment_due'
),

tickets as (
    select * from {{ ref('stg_tickets') }}
    where kind = 'complaint' and resolved_on is null
),

contact_data as (
    select * from {{ ref('contact_data_quality') }}
),

-- whom the leaver still looks after
left_behind as (
    select relationships.*
    from relationships
    inner join reps on relationships.owner_id = reps.rep_id
),

items as (
    select
        opportunities.owner_id as rep_id,
        case when opportunities.is_near_signing then 'near_signing' else 'quote' end as item_kind,
        case when opportunities.is_near_signing then 1 else 3 end as position,
        opportunities.opportunity_id as ref_id,
        opportunities.customer_id,
        opportunities.expected_close_on as due_on,
        opportunities.quoted_amount as amount
    from opportunities
    inner join reps on opportunities.owner_id = reps.rep_id
    union all
    select
        owner_id as rep_id,
        case when {{ is_key_customer() }} then 'key_customer' else 'customer' end as item_kind,
        case when {{ is_key_customer() }} then 2 else 7 end as position,
        customer_id as ref_id,
        customer_id,
        expected_next_order_on as due_on,
        gross_profit_12m as amount
    from left_behind
    union all
    select
        left_behind.owner_id as rep_id,
        'promise' as item_kind,
        4 as position,
        follow_ups.promise_ref_id as ref_id,
        follow_ups.customer_id,
        follow_ups.promised_for_on as due_on,
        null as amount
    from follow_ups
    inner join left_behind on follow_ups.customer_id = left_behind.customer_id
    union all
    select
        left_behind.owner_id as rep_id,
        'open_complaint' as item_kind,
        5 as position,
        tickets.ticket_id as ref_id,
        tickets.customer_id,
        null as due_on,
        null as amount
    from tickets
    inner join left_behind on tickets.customer_id = left_behind.customer_id
    union all
    select
        left_behind.owner_id as rep_id,
        'payment_due' as item_kind,
        6 as position,
        debts.ref_id,
        debts.customer_id,
        debts.due_on,
        debts.amount
    from debts
    inner join left_behind on debts.customer_id = left_behind.customer_id
),

final as (
    select
        items.rep_id as owner_id,
        items.item_kind,
        items.ref_id,
        items.customer_id,
        reps.leaves_on,
        case
            when reps.leaves_on > {{ as_of() }} then 'coming'
            when {{ days_between('reps.leaves_on', as_of()) }} <= {{ var('handover_days') }} then 'due'
            else 'overdue'
        end as handover_state,
        relationships.acting_owner_id,
        cast(row_number() over (
            partition by items.rep_id
            order by items.position asc, items.amount desc nulls last, items.customer_id asc, items.ref_id asc
        ) as integer) as item_number,
        relationships.value_tier,
        relationships.lifecycle_stage,
        items.due_on,
        cast(items.amount as decimal(18, 2)) as amount,
        relationships.last_contact_on,
        contact_data.verdict as contact_data_verdict
    from items
    inner join reps on items.rep_id = reps.rep_id
    inner join relationships on items.customer_id = relationships.customer_id
    left join contact_data on items.customer_id = contact_data.customer_id
)

select * from final
