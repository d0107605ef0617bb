with evidence as (
    select * from {{ ref('reason_evidence') }}
),

evidence_rule as (
    select * from {{ ref('evidence_rule') }}
),

churn_reason as (
    select * from {{ ref('churn_reason') }}
),

lifecycle as (
    select * from {{ ref('customer_lifecycle') }}
),

stated as (
    select * from {{ ref('stated_reasons') }}
    where reason_code <> 'unknown'
),

refusals as (
    select * from {{ ref('int_profiling_refusals') }}
),

-- those whose signs were looked for, as in reason_evidence
at_risk as (
    select lifecycle.customer_id
    from lifecycle
    anti join refusals on lifecycle.customer_id = refusals.customer_id
    where lifecycle_stage <> 'prospect' and overdue_ratio >= {{ var('reasons_from_overdue_ratio') }}
),

looked_at as (
    select count(*) as customers from at_risk
),

-- a sign that nobody shows may not be recorded at all: that it is missing says nothing
signs as (
    select
        evidence.rule_code,
        evidence.reason_code as sign_reason_code,
        cast(evidence_rule.seen_share as double) as seen_share,
        cast(evidence_rule.seen_otherwise as double) as seen_otherwise,
        cast(count(*) as double) / max(looked_at.customers) as seen_overall
    from evidence
    inner join evidence_rule on evidence.rule_code = evidence_rule.rule_code
    cross join looked_at
    group by evidence.rule_code, evidence.reason_code, evidence_rule.seen_share, evidence_rule.seen_otherwise
),

learnt_from as (
    select
        stated.customer_id,
        stated.reason_code
    from stated
    inner join at_risk on stated.customer_id = at_risk.customer_id
),

stated_by_reason as (
    select
        reason_code,
        count(*) as customers
    from learnt_from
    group by reason_code
),

all_stated as (
    select count(*) as customers from learnt_from
),

-- what the customers say of how frequent a reason is, drawn towards the seed
shares as (
    select
        churn_reason.reason_code,
        coalesce(stated_by_reason.customers, 0) as stated_customers,
        case
            when churn_reason.reason_code = 'unknown' then {{ var('unseen_reason_weight') }}
            else (
                coalesce(stated_by_reason.customers, 0)
                + {{ var('reason_share_shrinkage') }} * cast(churn_reason.prior_share as double)
            ) / (all_stated.customers + {{ var('reason_share_shrinkage') }})
        end as prior_share
    from churn_reason
    cross join all_stated
    left join stated_by_reason on churn_reason.reason_code = stated_by_reason.reason_code
),

seen_with as (
    select
        evidence.rule_code,
        evidence.reason_code as sign_reason_code,
        learnt_from.reason_code,
        count(*) as customers
    from evidence
    inner join learnt_from on evidence.customer_id = learnt_from.customer_id
    group by evidence.rule_code, evidence.reason_code, learnt_from.reason_code
),

-- a sign cannot be seen more often among some than all who show it allow
guessed as (
    select
        signs.rule_code,
        signs.sign_reason_code,
        shares.reason_code,
        shares.prior_share,
        shares.stated_customers,
        least(signs.seen_otherwise, signs.seen_overall) as guessed_otherwise,
        case
            when signs.sign_reason_code = shares.reason_code
                then least(
                    signs.seen_share,
                    signs.seen_overall * (1 + {{ var('unseen_reason_weight') }}) / nullif(shares.prior_share, 0)
                )
        end as guessed_for_its_reason
    from signs
    cross join shares
),

final as (
    select
        {{ as_of() }} as as_of_date,
        guessed.rule_code,
        guessed.sign_reason_code,
        guessed.reason_code,
        round(guessed.prior_share, 9) as prior_share,
        round(greatest(coalesce(guessed.guessed_for_its_reason, 0), guessed.guessed_otherwise), 9) as guessed_share,
        cast(guessed.stated_customers as integer) as stated_customers,
        cast(coalesce(seen_with.customers, 0) as integer) as stated_with_sign,
        round(
            (
                coalesce(seen_with.customers, 0)
                + {{ var('reason_sign_shrinkage') }}
                * greatest(coalesce(guessed.guessed_for_its_reason, 0), guessed.guessed_otherwise)
            ) / (guessed.stated_customers + {{ var('reason_sign_shrinkage') }}),
            9
        ) as seen_share
    from guessed
    left join seen_with
        on
            guessed.rule_code = seen_with.rule_code
            and guessed.sign_reason_code = seen_with.sign_reason_code
            and guessed.reason_code = seen_with.reason_code
)

select * from final
