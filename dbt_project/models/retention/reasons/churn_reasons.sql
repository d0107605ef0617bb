with lifecycle as (
    select * from {{ ref('customer_lifecycle') }}
),

evidence as (
    select * from {{ ref('reason_evidence') }}
),

evidence_rule as (
    select * from {{ ref('evidence_rule') }}
),

likelihoods as (
    select * from {{ ref('reason_likelihoods') }}
),

churn_reason as (
    select * from {{ ref('churn_reason') }}
),

stated as (
    select * from {{ ref('stated_reasons') }}
),

refusals as (
    select * from {{ ref('int_profiling_refusals') }}
),

late as (
    select lifecycle.customer_id
    from lifecycle
    anti join refusals on lifecycle.customer_id = refusals.customer_id
    where lifecycle_stage <> 'prospect' and overdue_ratio >= {{ var('reasons_from_overdue_ratio') }}
),

-- Bayes' rule with signs taken as independent. What is not there speaks too: a problem that drives customers away is
-- mostly complained of. So everybody starts from all signs missing, and each sign seen is exchanged for its absence.
nothing_seen as (
    select
        reason_code,
        cast(ln(greatest(prior_share, 0.000000001)) as decimal(38, 9))
        + sum(cast(ln(1 - seen_share) as decimal(38, 9))) as log_weight
    from likelihoods
    group by reason_code, prior_share
),

seen as (
    select
        evidence.customer_id,
        likelihoods.reason_code,
        sum(cast(ln(likelihoods.seen_share) - ln(1 - likelihoods.seen_share) as decimal(38, 9))) as log_weight
    from evidence
    inner join likelihoods
        on evidence.rule_code = likelihoods.rule_code and evidence.reason_code = likelihoods.sign_reason_code
    group by evidence.customer_id, likelihoods.reason_code
),

weighed as (
    select
        late.customer_id,
        nothing_seen.reason_code,
        nothing_seen.log_weight + coalesce(seen.log_weight, 0) as log_weight
    from late
    cross join nothing_seen
    left join seen on late.customer_id = seen.customer_id and nothing_seen.reason_code = seen.reason_code
),

weights as (
    select
        customer_id,
        reason_code,
        exp(cast(log_weight - max(log_weight) over (partition by customer_id) as double)) as weight
    from weighed
),

shares as (
    select
        customer_id,
        reason_code,
        weight / cast({{ exact_sum('weight') }} over (partition by customer_id) as double) as confidence
    from weights
),

ranked as (
    select
        *,
        max(case when reason_code = 'unknown' then confidence end) over (partition by customer_id) as unknown_confidence,
        row_number() over (
            partition by customer_id order by reason_code = 'unknown', confidence desc, reason_code asc
        ) as place
    from shares
),

first_two as (
    select
        customer_id,
        max(case when place = 1 then reason_code end) as first_reason,
        max(case when place = 1 then confidence end) as first_confidence,
        max(case when place = 2 then reason_code end) as second_reason,
        max(case when place = 2 then confidence end) as second_confidence,
        max(unknown_confidence) as unknown_confidence
    from ranked
    where place <= 2
    group by customer_id
),

facts as (
    select
        evidence.customer_id,
        evidence.reason_code,
        evidence.fact,
        row_number() over (
            partition by evidence.customer_id
            order by evidence_rule.seen_share / evidence_rule.seen_otherwise desc, evidence.observed_on desc, evidence.fact asc
        ) as place,
        row_number() over (
            partition by evidence.customer_id, evidence.reason_code
            order by evidence_rule.seen_share / evidence_rule.seen_otherwise desc, evidence.observed_on desc, evidence.fact asc
        ) as place_of_reason
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
    select customer_id from late
    union
    select stated.customer_id
    from stated
    anti join refusals on stated.customer_id = refusals.customer_id
),

judged as (
    select
        in_question.customer_id,
        case
            when stated.reason_code is not null then 'stated'
            when
                first_two.first_confidence >= {{ var('reason_min_confidence') }}
                and first_two.first_confidence > coalesce(first_two.unknown_confidence, 0)
                then 'inferred'
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
            as reason_code,
        -- beside an inferred reason the runner-up; beside a stated one, or none, what the signs point to
        case
            when reason_kind = 'inferred' then second_reason
            when first_reason <> coalesce(stated_reason, '') then first_reason
        end as next_reason,
        case
            when reason_kind = 'inferred' then second_confidence
            when first_reason <> coalesce(stated_reason, '') then first_confidence
        end as next_confidence
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
        named.next_reason as second_reason_code,
        round(named.next_confidence, 4) as second_confidence,
        named.stated_code,
        named.stated_on,
        cast(coalesce(named.signs, 0) as integer) as signs,
        named.evidence_1,
        named.evidence_2,
        named.evidence_3,
        -- the strongest sign of all may speak for another reason than the one named
        coalesce(
            facts.fact,
            case when named.reason_kind = 'stated' then 'the customer said so on ' || cast(named.stated_on as string) end
        ) as reason_evidence
    from named
    left join facts
        on
            named.customer_id = facts.customer_id
            and named.reason_code = facts.reason_code
            and facts.place_of_reason = 1
    inner join churn_reason on named.reason_code = churn_reason.reason_code
)

select * from final
