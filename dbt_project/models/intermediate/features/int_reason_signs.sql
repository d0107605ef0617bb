{# What points to a reason to leave, with the day on which it could be known: for whoever asks how things stood on a past
   day. The signs of today, read in full, stand in reason_evidence; their weights in the seed evidence_rule. #}
with

tickets as (
    select * from {{ ref('stg_tickets') }}
),

interactions as (
    select * from {{ ref('stg_interactions') }}
),

opportunities as (
    select * from {{ ref('stg_opportunities') }}
    where not won
),

returns as (
    select * from {{ ref('int_returns') }}
),

purchases as (
    select * from {{ ref('int_purchases') }}
),

consents as (
    select * from {{ ref('stg_consents') }}
    where basis = 'marketing' and not granted
),

reason_word as (
    select * from {{ ref('reason_word') }}
),

said as (
    select
        ticket_id as source_id,
        customer_id,
        case when kind = 'complaint' then 'complaint_about' else 'asked_about' end as rule_code,
        opened_on as observed_on,
        lower(coalesce(cause, '') || ' ' || coalesce(category, '')) as words
    from tickets
    where kind <> 'praise'
    union all
    select
        interaction_id as source_id,
        customer_id,
        'note_says' as rule_code,
        occurred_on as observed_on,
        lower(notes) as words
    from interactions
    where notes is not null
    union all
    select
        opportunity_id as source_id,
        customer_id,
        'deal_lost_over' as rule_code,
        closed_on as observed_on,
        lower(loss_reason) as words
    from opportunities
    union all
    select
        return_id as source_id,
        customer_id,
        'returned_as_faulty' as rule_code,
        returned_on as observed_on,
        lower(reason) as words
    from returns
),

-- texts repeat: each is read once
texts as (
    select distinct
        rule_code,
        words
    from said
    where words is not null
),

meant as (
    select
        texts.rule_code,
        texts.words,
        reason_word.reason_code
    from texts
    inner join reason_word on contains(texts.words, reason_word.word)
    qualify row_number() over (
        partition by texts.rule_code, texts.words order by length(reason_word.word) desc, reason_word.word asc
    ) = 1
),

named as (
    select
        said.customer_id,
        said.rule_code,
        meant.reason_code,
        said.observed_on
    from said
    inner join meant on said.rule_code = meant.rule_code and said.words = meant.words
    where
        meant.reason_code <> 'unknown'
        and (said.rule_code <> 'returned_as_faulty' or meant.reason_code = 'product_quality')
),

-- that a complaint is not solved is known when the days to solve it are over
unsolved as (
    select
        customer_id,
        'complaint_unsolved' as rule_code,
        'unresolved_problem' as reason_code,
        {{ days_after('opened_on', var('slow_resolution_days')) }} as observed_on
    from tickets
    where
        kind = 'complaint'
        and coalesce({{ days_after('opened_on', var('slow_resolution_days')) }} <= resolved_on, true)
),

answered_badly as (
    select
        customer_id,
        'complaint_answered_badly' as rule_code,
        'wrong_handling' as reason_code,
        resolved_on as observed_on
    from tickets
    where kind = 'complaint' and satisfaction <= 2
),

spoken as (
    select
        customer_id,
        case
            when outcome = 'no_answer' then 'calls_unanswered'
            when kind = 'service' then 'service_refused'
            else 'contact_refused'
        end as rule_code,
        case
            when outcome = 'no_answer' then 'needs_reminding'
            when kind = 'service' then 'service_rejected'
            else 'relationship'
        end as reason_code,
        occurred_on as observed_on
    from interactions
    where outcome = 'refused' or (outcome = 'no_answer' and kind = 'follow_up')
),

promises as (
    select
        customer_id,
        next_follow_up_on,
        lead(occurred_on) over (partition by customer_id order by occurred_at, interaction_id) as next_spoken_on
    from interactions
),

broken_promises as (
    select
        customer_id,
        'follow_up_missed' as rule_code,
        'staff_neglect' as reason_code,
        {{ days_after('next_follow_up_on', var('follow_up_grace_days')) }} as observed_on
    from promises
    where
        next_follow_up_on is not null
        and coalesce({{ days_after('next_follow_up_on', var('follow_up_grace_days')) }} < next_spoken_on, true)
),

rivals as (
    select
        customer_id,
        'competitor_named' as rule_code,
        'competitor' as reason_code,
        closed_on as observed_on
    from opportunities
    where competitor is not null
),

discounted as (
    select
        customer_id,
        'last_order_discounted' as rule_code,
        'price' as reason_code,
        ordered_on as observed_on
    from purchases
    where discount_amount > 0 or coupon_code is not null
),

closed_accounts as (
    select
        customer_id,
        'consents_withdrawn' as rule_code,
        'life_change' as reason_code,
        changed_on as observed_on
    from consents
    group by customer_id, changed_on
    having count(distinct channel) >= {{ var('moved_with_channels') }}
),

together as (
    {%- for sign in [
        'named', 'unsolved', 'answered_badly', 'spoken', 'broken_promises', 'rivals', 'discounted', 'closed_accounts'
    ] %}
    select * from {{ sign }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

final as (
    select distinct
        customer_id,
        rule_code,
        reason_code,
        observed_on
    from together
    where observed_on <= {{ as_of() }}
)

select * from final
