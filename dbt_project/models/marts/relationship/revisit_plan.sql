with

-- how often somebody is revisited, and how, follows from his tier: of who may not be profiled there is no plan
relationships as (
    select relationships.*
    from {{ ref('int_relationships') }} as relationships
    anti join {{ ref('int_profiling_refusals') }} as refusals on relationships.customer_id = refusals.customer_id
    where relationships.is_workable and relationships.first_order_on is not null
),

interactions as (
    select * from {{ ref('fct_interactions') }}
),

follow_ups as (
    select * from {{ ref('customer_follow_up') }}
),

opportunities as (
    select * from {{ ref('fct_opportunities') }}
),

orders as (
    select * from {{ ref('fct_orders') }}
),

tickets as (
    select * from {{ ref('stg_tickets') }}
),

surveys as (
    select * from {{ ref('stg_surveys') }}
),

inventory as (
    select * from {{ ref('source_inventory') }}
),

revisit_interval as (
    select * from {{ ref('revisit_interval') }}
),

revisit_topic as (
    select * from {{ ref('revisit_topic') }}
),

-- the channel on which a customer was most often spoken to, the latest of two that tie
answered_channels as (
    select
        customer_id,
        channel,
        count(*) as answers
    from interactions
    where
        is_conversation
        and coalesce(outcome, '') <> 'refused'
        and channel is not null
        and occurred_on > {{ days_after(as_of(), '-' ~ var('revisit_channel_days')) }}
    group by customer_id, channel
    qualify row_number() over (
        partition by customer_id order by count(*) desc, max(occurred_at) desc, channel asc
    ) = 1
),

last_scores as (
    select
        customer_id,
        survey,
        score
    from surveys
    where score is not null and sent_on > {{ days_after(as_of(), '-' ~ var('satisfaction_window_days')) }}
    qualify row_number() over (partition by customer_id, survey order by sent_at desc, response_id desc) = 1
),

reasons_to_speak as (
    select
        customer_id,
        'open_complaint' as topic_code
    from tickets
    where kind = 'complaint' and resolved_on is null
    union all
    select
        customer_id,
        'promised_follow_up' as topic_code
    from follow_ups
    where promise_ref_id is not null
    union all
    select
        orders.customer_id,
        'overdue_payment' as topic_code
    from orders
    cross join (
        {{ columns_given('inventory', 'orders', {'has_payments': 'paid_at'}) }}
    ) as payments
    where
        payments.has_payments
        and orders.status = 'completed'
        and orders.due_on < {{ as_of() }}
        and orders.paid_on is null
    union all
    select
        customer_id,
        'open_quote' as topic_code
    from opportunities
    where status = 'open'
    union all
    select
        customer_id,
        'low_score' as topic_code
    from last_scores
    where (survey = 'nps' and score <= 6) or (survey = 'csat' and score <= 3)
    union all
    select
        customer_id,
        case
            when lifecycle_stage = 'churned' then 'churned'
            when missed_intervals >= 1 then 'overdue_order'
            when lifecycle_stage = 'won_back' then 'won_back'
            when lifecycle_stage = 'new' then 'first_order'
            when
                expected_next_order_on <= {{ days_after(as_of(), var('service_due_soon_days')) }}
                then 'service_due'
            else 'regular'
        end as topic_code
    from relationships
),

topics as (
    select
        reasons_to_speak.customer_id,
        min_by(reasons_to_speak.topic_code, revisit_topic.position) as revisit_topic,
        min_by(revisit_topic.talking_point, revisit_topic.position) as talking_point,
        cast(count(distinct reasons_to_speak.topic_code) as integer) as topics
    from reasons_to_speak
    inner join revisit_topic on reasons_to_speak.topic_code = revisit_topic.topic_code
    group by reasons_to_speak.customer_id
),

planned as (
    select
        relationships.*,
        revisit_interval.interval_days,
        revisit_interval.channel as tier_channel,
        revisit_interval.manner,
        contacts.has_contacts,
        -- where no contact is ever delivered, nobody knows who has not been visited
        case
            when contacts.has_contacts
                then {{ days_after(
                    'coalesce(relationships.last_contact_on, relationships.first_order_on)',
                    'revisit_interval.interval_days'
                ) }}
        end as due_on
    from relationships
    cross join (
        {{ columns_given('inventory', 'interactions', {'has_contacts': 'occurred_at'}) }}
    ) as contacts
    left join revisit_interval
        on
            relationships.value_tier = revisit_interval.value_tier
            and revisit_interval.standing
            = case when relationships.lifecycle_stage = 'churned' then 'churned' else 'customer' end
),

final as (
    select
        planned.customer_id,
        planned.acting_owner_id as owner_id,
        planned.value_tier,
        planned.lifecycle_stage,
        planned.interval_days as revisit_interval_days,
        planned.last_contact_on,
        planned.last_attempt_on,
        planned.unanswered_attempts,
        planned.due_on,
        case when planned.has_contacts then coalesce(planned.due_on <= {{ as_of() }}, false) end as is_due,
        case
            when planned.due_on is not null
                then cast(greatest({{ days_between('planned.due_on', as_of()) }}, 0) as integer)
        end as days_overdue,
        topics.revisit_topic,
        topics.talking_point,
        topics.topics,
        planned.manner,
        case
            when answered_channels.answers >= {{ var('revisit_channel_min_answers') }} then answered_channels.channel
            else coalesce(planned.stated_channel, answered_channels.channel, planned.tier_channel)
        end as preferred_channel,
        case
            when answered_channels.answers >= {{ var('revisit_channel_min_answers') }} then 'answered'
            when planned.stated_channel is not null then 'stated'
            when answered_channels.channel is not null then 'answered'
            when planned.tier_channel is not null then 'tier'
        end as channel_basis
    from planned
    inner join topics on planned.customer_id = topics.customer_id
    left join answered_channels on planned.customer_id = answered_channels.customer_id
)

select * from final
