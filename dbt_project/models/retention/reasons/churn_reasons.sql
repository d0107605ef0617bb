with lifecycle as (
    select * from {{ ref('customer_lifecycle') }}
),

evidence as (
    select * from {{ ref('reason_evidence') }}
),

evidence_rule as (
    select * from {{ ref('evidence_rule') }}
),

churn_reason as (
    select * from {{ ref('churn_reason') }}
),

reason_map as (
    select * from {{ ref('reason_map') }}
),

feedback as (
    select * from {{ ref('stg_churn_feedback') }}
),

-- every word for a reason that the company uses, ours among them
known_words as (
    select
        reason_code as word,
        reason_code
    from churn_reason
    union
    select
        lower(cause_code) as word,
        reason_code
    from reason_map
    union
    select
        cause_phrase as word,
        reason_code
    from reason_map
),

-- whoever ordered again after saying why he left has taken it back
stated as (
    select
        feedback.customer_id,
        feedback.reason_code as stated_code,
        feedback.recorded_on as stated_on,
        known_words.reason_code
    from feedback
    inner join lifecycle on feedback.customer_id = lifecycle.customer_id
    left join known_words on lower(trim(feedback.reason_code)) = known_words.word
    where feedback.recorded_on >= lifecycle.last_order_on
    qualify row_number() over (
        partition by feedback.customer_id
        order by feedback.recorded_at desc, feedback.feedback_id asc, known_words.reason_code asc
    ) = 1
),

-- Bayes' rule with independent signs: prior share times the likelihood ratios of the signs seen
weighed as (
    select
        evidence.customer_id,
        evidence.reason_code,
        churn_reason.prior_share,
        churn_reason.prior_share * exp(sum(cast(ln(evidence_rule.likelihood_ratio) as decimal(18, 9)))) as weight
    from evidence
    inner join evidence_rule on evidence.rule_code = evidence_rule.rule_code
    inner join churn_reason on evidence.reason_code = churn_reason.reason_code
    group by evidence.customer_id, evidence.reason_code, churn_reason.prior_share
),

-- reasons without a sign keep their prior share (all of them add up to 1); beside them stands what cannot be seen
shares as (
    select
        customer_id,
        reason_code,
        weight / (
            {{ var('unseen_reason_weight') }} + 1
            - sum(cast(prior_share as decimal(18, 9))) over (partition by customer_id)
            + {{ exact_sum('weight') }} over (partition by customer_id)
        ) as confidence
    from weighed
),

ranked as (
    select
        *,
        row_number() over (partition by customer_id order by confidence desc, reason_code asc) as place
    from shares
),

first_two as (
    select
        customer_id,
        max(case when place = 1 then reason_code end) as first_reason,
        max(case when place = 1 then confidence end) as first_confidence,
        max(case when place = 2 then reason_code end) as second_reason,
        max(case when place = 2 then confidence end) as second_confidence
    from ranked
    where place <= 2
    group by customer_id
),

facts as (
    select
        evidence.customer_id,
        evidence.fact,
        row_number() over (
            partition by evidence.customer_id
            order by evidence_rule.likelihood_ratio desc, evidence.observed_on desc, evidence.fact asc
        ) as place
    from evidence
    inner join evidence_rule on evidence.rule_code = evidence_rule.rule_code
),

facts_in_a_row as (
    select
        customer_id,
        count(*) as signs,
        max(case when place = 1 then fact end) as evidence_1,
        max(case when place = 2 then fact end) as evidence_2,
        max(case when place = 3 then fact end) as evidence_3
    from facts
    group by customer_id
),

-- the question arises for those who are late, and for those who answered it
in_question as (
    select customer_id from lifecycle
    where lifecycle_stage <> 'prospect' and overdue_ratio >= {{ var('reasons_from_overdue_ratio') }}
    union
    select customer_id from stated
),

judged as (
    select
        in_question.customer_id,
        case
            when stated.reason_code is not null then 'stated'
            when first_two.first_confidence >= {{ var('reason_min_confidence') }} then 'inferred'
            else 'unknown'
        end as reason_kind,
        stated.reason_code as stated_reason,
        stated.stated_code,
        stated.stated_on,
        first_two.first_reason,
        first_two.first_confidence,
        first_two.second_reason,
        first_two.second_confidence,
        facts_in_a_row.signs,
        facts_in_a_row.evidence_1,
        facts_in_a_row.evidence_2,
        facts_in_a_row.evidence_3
    from in_question
    left join stated on in_question.customer_id = stated.customer_id
    left join first_two on in_question.customer_id = first_two.customer_id
    left join facts_in_a_row on in_question.customer_id = facts_in_a_row.customer_id
),

named as (
    select
        *,
        case reason_kind when 'stated' then stated_reason when 'inferred' then first_reason else 'unknown' end
            as reason_code
    from judged
),

final as (
    select
        {{ as_of() }} as as_of_date,
        named.customer_id,
        named.reason_code,
        churn_reason.side as reason_side,
        named.reason_kind,
        round(
            case named.reason_kind
                when 'stated' then {{ var('stated_reason_confidence') }}
                when 'inferred' then named.first_confidence
            end,
            4
        ) as confidence,
        case
            when named.reason_kind = 'stated' and named.first_reason <> named.reason_code then named.first_reason
            when named.reason_kind = 'inferred' then named.second_reason
        end as second_reason_code,
        round(
            case
                when named.reason_kind = 'stated' and named.first_reason <> named.reason_code
                    then named.first_confidence
                when named.reason_kind = 'inferred' then named.second_confidence
            end,
            4
        ) as second_confidence,
        named.stated_code,
        named.stated_on,
        cast(coalesce(named.signs, 0) as integer) as signs,
        named.evidence_1,
        named.evidence_2,
        named.evidence_3
    from named
    inner join churn_reason on named.reason_code = churn_reason.reason_code
)

select * from final
