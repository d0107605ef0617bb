{# One CTE per rule: customer_id, rule_code, reason_code, observed_on, fact. What a rule is worth stands in the seed
   evidence_rule, which words name which reason in reason_word. A new rule is one more CTE and one more line there. #}
{%- set rules = [
    'named_reasons', 'complaint_unsolved', 'complaint_answered_badly', 'answered_late', 'low_score', 'returned_as_faulty',
    'rep_departed', 'contact_changed', 'service_refused', 'contact_refused', 'follow_up_missed', 'calls_unanswered',
    'moved_away', 'consents_withdrawn', 'far_away', 'orders_on_discount', 'last_order_discounted', 'competitor_named',
    'referrer_left'
] -%}

with lifecycle as (
    select * from {{ ref('customer_lifecycle') }}
),

purchases as (
    select * from {{ ref('int_purchases') }}
),

customers as (
    select * from {{ ref('dim_customer') }}
),

churn_reason as (
    select * from {{ ref('churn_reason') }}
),

reason_word as (
    select * from {{ ref('reason_word') }}
),

refusals as (
    select * from {{ ref('int_profiling_refusals') }}
),

-- only those who may be leaving, and only what was seen from shortly before their last order on
at_risk as (
    select
        lifecycle.customer_id,
        lifecycle.last_order_on,
        lifecycle.expected_next_order_on,
        {{ days_after('lifecycle.last_order_on', '-' ~ var('evidence_days')) }} as evidence_from
    from lifecycle
    anti join refusals on lifecycle.customer_id = refusals.customer_id
    where lifecycle_stage <> 'prospect' and overdue_ratio >= {{ var('reasons_from_overdue_ratio') }}
),

-- every version of a profile that was ever delivered: who looked after the customer, and where he lived
profile_versions as (
    select
        versions.customer_id,
        versions.owner_id,
        coalesce(versions.updated_on, versions._batch) as written_on,
        lead(coalesce(versions.updated_on, versions._batch)) over written as replaced_on,
        coalesce(versions.city <> lag(versions.city) over written, false)
        or coalesce(versions.region <> lag(versions.region) over written, false) as is_elsewhere
    from {{ ref('checked_customers') }} as versions
    inner join at_risk on versions.customer_id = at_risk.customer_id
    where
        versions._rule is null
        and not versions._duplicate
        and coalesce(versions.updated_on, versions._batch) <= {{ as_of() }}
    window written as (
        partition by versions.customer_id
        order by coalesce(versions.updated_at, versions._batch), versions._batch_id, versions._row
    )
),

contact_versions as (
    select
        versions.customer_id,
        coalesce(versions.updated_on, versions._batch) as written_on,
        coalesce(
            versions.name <> lag(versions.name) over (
                partition by versions.contact_id
                order by coalesce(versions.updated_at, versions._batch), versions._batch_id, versions._row
            ),
            false
        ) as is_somebody_else
    from {{ ref('checked_contacts') }} as versions
    where
        versions._rule is null
        and not versions._duplicate
        and coalesce(versions.updated_on, versions._batch) <= {{ as_of() }}
),

tickets as (
    select
        tickets.*,
        {{ days_between('tickets.opened_on', 'coalesce(tickets.resolved_on, ' ~ as_of() ~ ')') }} as open_days,
        {{ days_between('tickets.opened_on', 'coalesce(tickets.first_response_on, ' ~ as_of() ~ ')') }} as waiting_days
    from {{ ref('stg_tickets') }} as tickets
    inner join at_risk on tickets.customer_id = at_risk.customer_id
    where tickets.opened_on >= at_risk.evidence_from
),

low_surveys as (
    select surveys.*
    from {{ ref('stg_surveys') }} as surveys
    inner join at_risk on surveys.customer_id = at_risk.customer_id
    where
        surveys.responded_on >= at_risk.evidence_from
        and ((surveys.survey = 'csat' and surveys.score <= 2) or (surveys.survey = 'nps' and surveys.score <= 6))
),

interactions as (
    select
        interactions.*,
        at_risk.evidence_from
    from {{ ref('stg_interactions') }} as interactions
    inner join at_risk on interactions.customer_id = at_risk.customer_id
),

lost_deals as (
    select opportunities.*
    from {{ ref('stg_opportunities') }} as opportunities
    inner join at_risk on opportunities.customer_id = at_risk.customer_id
    where not opportunities.won and opportunities.closed_on >= at_risk.evidence_from
),

-- what was said, in the words of the source: `words` before `other_words`, which count where the first say nothing
said as (
    select
        ticket_id as source_id,
        customer_id,
        case when kind = 'complaint' then 'complaint_about' else 'asked_about' end as rule_code,
        opened_on as observed_on,
        lower(cause) as words,
        lower(category) as other_words,
        kind || ' about ' || coalesce(category, cause) as fact
    from tickets
    where kind <> 'praise'
    union all
    select
        response_id as source_id,
        customer_id,
        'low_score_about' as rule_code,
        responded_on as observed_on,
        lower(topic) as words,
        null as other_words,
        survey || ' score ' || cast(score as string) || ' for ' || topic as fact
    from low_surveys
    union all
    select
        interaction_id as source_id,
        customer_id,
        'note_says' as rule_code,
        occurred_on as observed_on,
        lower(notes) as words,
        null as other_words,
        -- what was written down may be personal: the reason alone leaves, in the words of churn_reason
        null as fact
    from interactions
    where occurred_on >= evidence_from
    union all
    select
        opportunity_id as source_id,
        customer_id,
        'deal_lost_over' as rule_code,
        closed_on as observed_on,
        lower(loss_reason) as words,
        null as other_words,
        'quotation lost over ' || loss_reason as fact
    from lost_deals
),

longest_words as (
    select
        said.customer_id,
        said.rule_code,
        reason_word.reason_code,
        said.observed_on,
        said.fact
    from said
    inner join reason_word
        on contains(said.words, reason_word.word) or contains(said.other_words, reason_word.word)
    qualify row_number() over (
        partition by said.rule_code, said.source_id
        order by
            coalesce(contains(said.words, reason_word.word), false) desc,
            length(reason_word.word) desc,
            reason_word.word asc
    ) = 1
),

named_reasons as (
    select
        longest_words.customer_id,
        longest_words.rule_code,
        longest_words.reason_code,
        longest_words.observed_on,
        coalesce(longest_words.fact, 'told a representative: ' || churn_reason.title) as fact
    from longest_words
    inner join churn_reason on longest_words.reason_code = churn_reason.reason_code
    where longest_words.reason_code <> 'unknown'
),

complaint_unsolved as (
    select
        customer_id,
        'complaint_unsolved' as rule_code,
        'unresolved_problem' as reason_code,
        opened_on as observed_on,
        case
            when resolved_on is null then 'complaint open for ' || cast(open_days as string) || ' days'
            else 'complaint took ' || cast(open_days as string) || ' days to solve'
        end as fact
    from tickets
    where kind = 'complaint' and open_days >= {{ var('slow_resolution_days') }}
),

complaint_answered_badly as (
    select
        customer_id,
        'complaint_answered_badly' as rule_code,
        'wrong_handling' as reason_code,
        resolved_on as observed_on,
        'answer to a complaint rated ' || cast(satisfaction as string) || ' of 5' as fact
    from tickets
    where kind = 'complaint' and satisfaction <= 2
),

answered_late as (
    select
        customer_id,
        'answered_late' as rule_code,
        'staff_neglect' as reason_code,
        opened_on as observed_on,
        'first answer to a ' || kind || ' took ' || cast(waiting_days as string) || ' days' as fact
    from tickets
    where waiting_days >= {{ var('slow_response_days') }}
),

low_score as (
    select
        customer_id,
        'low_score' as rule_code,
        'experience' as reason_code,
        responded_on as observed_on,
        survey || ' score ' || cast(score as string) as fact
    from low_surveys
    where topic is null
),

returned_as_faulty as (
    select
        at_risk.customer_id,
        'returned_as_faulty' as rule_code,
        'product_quality' as reason_code,
        returns.returned_on as observed_on,
        'goods returned on ' || cast(returns.returned_on as string) || ' as ' || returns.reason as fact
    from {{ ref('int_returns') }} as returns
    inner join at_risk on returns.customer_id = at_risk.customer_id
    inner join reason_word on contains(lower(returns.reason), reason_word.word)
    where returns.returned_on >= at_risk.evidence_from and reason_word.reason_code = 'product_quality'
),

-- a customer who was handed on had the representative who left until then
rep_departed as (
    select
        at_risk.customer_id,
        'rep_departed' as rule_code,
        'relationship' as reason_code,
        reps.departed_on as observed_on,
        'the representative left on ' || cast(reps.departed_on as string) as fact
    from at_risk
    inner join profile_versions on at_risk.customer_id = profile_versions.customer_id
    inner join {{ ref('stg_reps') }} as reps on profile_versions.owner_id = reps.rep_id
    where
        reps.departed_on >= at_risk.evidence_from
        and reps.departed_on <= {{ as_of() }}
        and reps.departed_on <= at_risk.expected_next_order_on
        and (profile_versions.replaced_on is null or profile_versions.replaced_on >= reps.departed_on)
),

contact_changed as (
    select
        at_risk.customer_id,
        'contact_changed' as rule_code,
        'relationship' as reason_code,
        contact_versions.written_on as observed_on,
        'another contact person since ' || cast(contact_versions.written_on as string) as fact
    from at_risk
    inner join contact_versions on at_risk.customer_id = contact_versions.customer_id
    where
        contact_versions.is_somebody_else
        and contact_versions.written_on >= at_risk.evidence_from
),

service_refused as (
    select
        customer_id,
        'service_refused' as rule_code,
        'service_rejected' as reason_code,
        occurred_on as observed_on,
        'refused the service on ' || cast(occurred_on as string) as fact
    from interactions
    where outcome = 'refused' and kind = 'service' and occurred_on >= evidence_from
),

contact_refused as (
    select
        customer_id,
        'contact_refused' as rule_code,
        'relationship' as reason_code,
        occurred_on as observed_on,
        'refused to be spoken to on ' || cast(occurred_on as string) as fact
    from interactions
    where outcome = 'refused' and kind <> 'service' and occurred_on >= evidence_from
),

follow_up_missed as (
    select
        promised.customer_id,
        'follow_up_missed' as rule_code,
        'staff_neglect' as reason_code,
        promised.next_follow_up_on as observed_on,
        'contact promised for ' || cast(promised.next_follow_up_on as string) || ' did not take place' as fact
    from interactions as promised
    inner join at_risk on promised.customer_id = at_risk.customer_id
    where
        promised.next_follow_up_on >= at_risk.evidence_from
        and {{ days_after('promised.next_follow_up_on', var('follow_up_grace_days')) }} < {{ as_of() }}
        and not exists (
            select 1
            from interactions as kept
            where
                kept.customer_id = promised.customer_id
                and kept.direction = 'outbound'
                -- a greeting keeps no promise
                and kept.kind <> 'care'
                and kept.occurred_at > promised.occurred_at
                and kept.occurred_on <= {{ days_after('promised.next_follow_up_on', var('follow_up_grace_days')) }}
        )
),

calls_unanswered as (
    select
        interactions.customer_id,
        'calls_unanswered' as rule_code,
        'needs_reminding' as reason_code,
        interactions.occurred_on as observed_on,
        'nobody answered on ' || cast(interactions.occurred_on as string) as fact
    from interactions
    inner join at_risk on interactions.customer_id = at_risk.customer_id
    where
        interactions.outcome = 'no_answer'
        and interactions.kind = 'follow_up'
        and interactions.occurred_on >= {{ days_after('at_risk.last_order_on', '-' ~ var('unanswered_days')) }}
),

moved_away as (
    select
        at_risk.customer_id,
        'moved_away' as rule_code,
        'life_change' as reason_code,
        profile_versions.written_on as observed_on,
        'moved to another town, on record since ' || cast(profile_versions.written_on as string) as fact
    from at_risk
    inner join profile_versions on at_risk.customer_id = profile_versions.customer_id
    where
        profile_versions.is_elsewhere
        and profile_versions.written_on >= at_risk.evidence_from
),

withdrawals as (
    select
        withdrawn.customer_id,
        withdrawn.changed_on,
        count(distinct withdrawn.channel) as channels
    from {{ ref('stg_consents') }} as withdrawn
    inner join {{ ref('stg_consents') }} as given
        on
            withdrawn.customer_id = given.customer_id
            and withdrawn.channel = given.channel
            and withdrawn.basis = given.basis
            and withdrawn.changed_at > given.changed_at
    where withdrawn.basis = 'marketing' and not withdrawn.granted and given.granted
    group by withdrawn.customer_id, withdrawn.changed_on
),

consents_withdrawn as (
    select
        at_risk.customer_id,
        'consents_withdrawn' as rule_code,
        'life_change' as reason_code,
        withdrawals.changed_on as observed_on,
        'withdrew consent for ' || cast(withdrawals.channels as string) || ' channels on '
        || cast(withdrawals.changed_on as string) as fact
    from at_risk
    inner join withdrawals on at_risk.customer_id = withdrawals.customer_id
    where
        withdrawals.channels >= {{ var('moved_with_channels') }}
        and withdrawals.changed_on >= at_risk.evidence_from
),

-- where a mover lives now says nothing about the way he had before
far_away as (
    select
        at_risk.customer_id,
        'far_away' as rule_code,
        'closer_place' as reason_code,
        at_risk.last_order_on as observed_on,
        'lives ' || cast(cast(customers.distance_km as integer) as string) || ' km from the store' as fact
    from at_risk
    inner join customers on at_risk.customer_id = customers.customer_id
    anti join moved_away on at_risk.customer_id = moved_away.customer_id
    where customers.distance_km >= {{ var('far_away_km') }}
),

discounts as (
    select
        at_risk.customer_id,
        at_risk.last_order_on,
        count(*) as orders,
        count(*) filter (where purchases.discount_amount > 0 or purchases.coupon_code is not null) as discounted,
        coalesce(
            max_by(purchases.discount_amount > 0 or purchases.coupon_code is not null, purchases.order_number), false
        ) as is_last_discounted
    from purchases
    inner join at_risk on purchases.customer_id = at_risk.customer_id
    group by at_risk.customer_id, at_risk.last_order_on
),

orders_on_discount as (
    select
        customer_id,
        'orders_on_discount' as rule_code,
        'price' as reason_code,
        last_order_on as observed_on,
        cast(discounted as string) || ' of ' || cast(orders as string) || ' orders at a discount' as fact
    from discounts
    where orders >= 3 and discounted >= {{ var('discount_share') }} * orders
),

last_order_discounted as (
    select
        customer_id,
        'last_order_discounted' as rule_code,
        'price' as reason_code,
        last_order_on as observed_on,
        'the last order was made at a discount' as fact
    from discounts
    where is_last_discounted
),

competitor_named as (
    select
        customer_id,
        'competitor_named' as rule_code,
        'competitor' as reason_code,
        closed_on as observed_on,
        'quotation lost to a competitor' as fact
    from lost_deals
    where competitor is not null
),

referrer_left as (
    select
        at_risk.customer_id,
        'referrer_left' as rule_code,
        'friends_advice' as reason_code,
        referrers.last_order_on as observed_on,
        'who recommended the company has left too' as fact
    from at_risk
    inner join customers on at_risk.customer_id = customers.customer_id
    inner join lifecycle as referrers on customers.referred_by = referrers.customer_id
    where
        referrers.lifecycle_stage = 'churned'
        and referrers.last_order_on <= at_risk.expected_next_order_on
        and referrers.last_order_on >= {{ days_after('at_risk.last_order_on', '-' ~ var('referrer_days')) }}
),

observed as (
    {%- for rule in rules %}
    select
        customer_id,
        rule_code,
        reason_code,
        observed_on,
        fact
    from {{ rule }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- five complaints are one sign, shown by its latest
final as (
    select
        {{ as_of() }} as as_of_date,
        customer_id,
        rule_code,
        reason_code,
        observed_on,
        fact
    from observed
    qualify row_number() over (
        partition by customer_id, rule_code, reason_code order by observed_on desc, fact asc
    ) = 1
)

select * from final
