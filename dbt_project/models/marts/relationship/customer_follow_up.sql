with

relationships as (
    select * from {{ ref('int_relationships') }}
    where is_workable
),

interactions as (
    select * from {{ ref('fct_interactions') }}
),

opportunities as (
    select * from {{ ref('fct_opportunities') }}
),

tickets as (
    select * from {{ ref('stg_tickets') }}
),

follow_up_rule as (
    select * from {{ ref('follow_up_rule') }}
),

promised as (
    select
        customer_id,
        interaction_id,
        occurred_on as promised_on,
        next_follow_up_on
    from interactions
    where
        next_follow_up_on > {{ days_after(as_of(), '-' ~ var('promise_expires_days')) }}
        and follow_up_done_on is null
    qualify row_number() over (partition by customer_id order by occurred_at desc, interaction_id desc) = 1
),

-- what asks for a contact, and since when; a contact since then has answered it
events as (
    select
        customer_id,
        'unanswered' as rule_code,
        last_attempt_on as event_on,
        customer_id as ref_id
    from relationships
    where unanswered_attempts > 0
    union all
    select
        customer_id,
        'refused' as rule_code,
        last_contact_on as event_on,
        customer_id as ref_id
    from relationships
    where last_contact_outcome = 'refused'
    union all
    select
        customer_id,
        'open_quote' as rule_code,
        greatest(opportunities.quoted_on, relationships.last_contact_on) as event_on,
        opportunities.opportunity_id as ref_id
    from opportunities
    inner join relationships using (customer_id)
    where opportunities.status = 'open' and opportunities.quoted_on is not null
    qualify row_number() over (
        partition by customer_id order by opportunities.quoted_on desc, opportunities.opportunity_id desc
    ) = 1
    union all
    select
        customer_id,
        'complaint_resolved' as rule_code,
        max(tickets.resolved_on) as event_on,
        max_by(tickets.ticket_id, cast(tickets.resolved_on as string) || tickets.ticket_id) as ref_id
    from tickets
    inner join relationships using (customer_id)
    where tickets.kind = 'complaint' and tickets.resolved_on is not null
    group by customer_id, relationships.last_contact_on
    having coalesce(max(tickets.resolved_on) > relationships.last_contact_on, true)
    union all
    select
        customer_id,
        'first_order' as rule_code,
        first_order_on as event_on,
        customer_id as ref_id
    from relationships
    where lifecycle_stage = 'new' and coalesce(first_order_on > last_contact_on, true)
    union all
    select
        customer_id,
        'won_back' as rule_code,
        stage_since_on as event_on,
        customer_id as ref_id
    from relationships
    where lifecycle_stage = 'won_back' and coalesce(stage_since_on > last_contact_on, true)
    union all
    select
        customer_id,
        'lost_core_customer' as rule_code,
        stage_since_on as event_on,
        customer_id as ref_id
    from relationships
    where
        lifecycle_stage = 'churned'
        and value_tier = 'core'
        and coalesce(stage_since_on > last_contact_on, true)
    union all
    select
        customer_id,
        'prospect' as rule_code,
        greatest(known_on, last_contact_on) as event_on,
        customer_id as ref_id
    from relationships
    where lifecycle_stage = 'prospect'
),

ruled as (
    select
        events.customer_id,
        events.rule_code,
        events.ref_id,
        {{ days_after('events.event_on', 'follow_up_rule.after_days') }} as next_follow_up_on
    from events
    inner join follow_up_rule on events.rule_code = follow_up_rule.rule_code
    inner join relationships on events.customer_id = relationships.customer_id
    where
        (follow_up_rule.ends_after_days is null
            or {{ days_between('events.event_on', as_of()) }} <= follow_up_rule.ends_after_days)
        and (relationships.owner_id is not null or not follow_up_rule.needs_owner)
    qualify row_number() over (
        partition by events.customer_id
        order by next_follow_up_on, follow_up_rule.position, events.rule_code
    ) = 1
),

open_follow_ups as (
    select
        customer_id,
        'promised' as basis,
        'promised' as rule_code,
        interaction_id as ref_id,
        promised_on,
        next_follow_up_on
    from promised
    union all
    select
        customer_id,
        'rule' as basis,
        rule_code,
        ref_id,
        null as promised_on,
        next_follow_up_on
    from ruled
),

-- a promise for next month does not excuse today's silence about a quotation
chosen as (
    select
        *,
        max(case when basis = 'promised' then ref_id end) over (partition by customer_id) as promise_ref_id,
        max(case when basis = 'promised' then next_follow_up_on end) over (partition by customer_id)
            as promised_for_on
    from open_follow_ups
    qualify row_number() over (partition by customer_id order by next_follow_up_on asc, basis asc) = 1
),

final as (
    select
        chosen.customer_id,
        relationships.acting_owner_id as owner_id,
        relationships.value_tier,
        relationships.lifecycle_stage,
        chosen.basis,
        chosen.rule_code,
        follow_up_rule.what_to_do,
        chosen.ref_id,
        chosen.promised_on,
        chosen.promise_ref_id,
        chosen.promised_for_on,
        chosen.next_follow_up_on,
        chosen.next_follow_up_on <= {{ as_of() }} as is_due,
        cast(greatest({{ days_between('chosen.next_follow_up_on', as_of()) }}, 0) as integer) as days_overdue,
        relationships.last_contact_on,
        relationships.unanswered_attempts
    from chosen
    inner join relationships on chosen.customer_id = relationships.customer_id
    left join follow_up_rule on chosen.rule_code = follow_up_rule.rule_code
)

select * from final
