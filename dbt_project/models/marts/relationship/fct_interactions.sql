{%- set days = var('satisfaction_window_days') -%}
with

interactions as (
    select * from {{ ref('stg_interactions') }}
),

contacted as (
    select distinct customer_id from interactions
),

purchases as (
    select
        customer_id,
        ordered_at
    from {{ ref('int_purchases') }}
    semi join contacted using (customer_id)
),

-- one scale of satisfaction, 1 to 5: what surveys ask and what is asked when a ticket is closed
answers as (
    select
        customer_id,
        coalesce(responded_at, sent_at) as answered_at,
        response_id as answer_id,
        score
    from {{ ref('stg_surveys') }}
    where survey = 'csat' and score is not null
    union all
    select
        customer_id,
        resolved_at as answered_at,
        ticket_id as answer_id,
        satisfaction as score
    from {{ ref('stg_tickets') }}
    where satisfaction is not null and resolved_at is not null
),

-- One stream of all that happens to a customer, so that one sort finds what came before and after each contact. An
-- order or answer of the same instant came before.
stream as (
    select
        customer_id,
        occurred_at as happened_at,
        1 as position,
        interaction_id as event_id,
        interaction_id,
        cast(null as timestamp) as ordered_at,
        cast(null as timestamp) as answered_at,
        cast(null as integer) as score,
        case when {{ is_attempt() }} then occurred_on end as attempted_on,
        case when {{ is_attempt() }} and {{ is_conversation() }} then occurred_on end as spoken_on
    from interactions
    union all
    select
        customer_id,
        ordered_at as happened_at,
        0 as position,
        '' as event_id,
        null as interaction_id,
        ordered_at,
        null as answered_at,
        null as score,
        null as attempted_on,
        null as spoken_on
    from purchases
    union all
    select
        customer_id,
        answered_at as happened_at,
        0 as position,
        answer_id as event_id,
        null as interaction_id,
        null as ordered_at,
        answered_at,
        score,
        null as attempted_on,
        null as spoken_on
    from answers
    semi join contacted using (customer_id)
),

surrounded as (
    select
        interaction_id,
        first_value(ordered_at ignore nulls) over afterwards as next_ordered_at,
        last_value(score ignore nulls) over earlier as score_before,
        last_value(answered_at ignore nulls) over earlier as answered_before_at,
        first_value(score ignore nulls) over afterwards as score_after,
        first_value(answered_at ignore nulls) over afterwards as answered_after_at,
        first_value(attempted_on ignore nulls) over afterwards as next_attempted_on,
        first_value(spoken_on ignore nulls) over afterwards as next_spoken_on
    from stream
    window
        earlier as (
            partition by customer_id order by happened_at, position, event_id
            rows between unbounded preceding and 1 preceding
        ),
        afterwards as (
            partition by customer_id order by happened_at, position, event_id
            rows between 1 following and unbounded following
        )
),

numbered as (
    select
        *,
        row_number() over placed as contact_number,
        {{ days_between('lag(occurred_on) over placed', 'occurred_on') }} as days_since_previous_contact
    from interactions
    window placed as (partition by customer_id order by occurred_at, interaction_id)
),

final as (
    select
        numbered.interaction_id,
        numbered.customer_id,
        numbered.owner_id,
        numbered.occurred_at,
        numbered.occurred_on,
        numbered.kind,
        numbered.channel,
        numbered.direction,
        numbered.outcome,
        {{ is_attempt() }} as is_attempt,
        {{ is_conversation() }} as is_conversation,
        cast(numbered.contact_number as integer) as contact_number,
        cast(numbered.days_since_previous_contact as integer) as days_since_previous_contact,
        numbered.list_row_id,
        numbered.next_follow_up_on,
        case when numbered.next_follow_up_on is not null then surrounded.next_spoken_on end as follow_up_done_on,
        case
            when numbered.next_follow_up_on is null then null
            when
                surrounded.next_spoken_on <= {{ days_after('numbered.next_follow_up_on', var('follow_up_grace_days')) }}
                then 'kept'
            when surrounded.next_spoken_on is not null then 'late'
            when {{ days_after('numbered.next_follow_up_on', var('follow_up_grace_days')) }} >= {{ as_of() }} then 'open'
            when surrounded.next_attempted_on is not null then 'unanswered'
            else 'missed'
        end as follow_up_state,
        {%- for window in [30, 60, 90] %}
        case
            when {{ days_after('numbered.occurred_on', window) }} <= {{ as_of() }}
                then coalesce(
                    {{ business_date('surrounded.next_ordered_at') }}
                    <= {{ days_after('numbered.occurred_on', window) }}, false
                )
        end as has_ordered_within_{{ window }}d,
        {%- endfor %}
        case
            when {{ business_date('surrounded.answered_before_at') }} >= {{ days_after('numbered.occurred_on', '-' ~ days) }}
                then surrounded.score_before
        end as satisfaction_before,
        case
            when
                {{ days_after('numbered.occurred_on', days) }} <= {{ as_of() }}
                and {{ business_date('surrounded.answered_after_at') }} <= {{ days_after('numbered.occurred_on', days) }}
                then surrounded.score_after
        end as satisfaction_after
    from numbered
    inner join surrounded on numbered.interaction_id = surrounded.interaction_id
)

select * from final
