with candidates as (
    select * from {{ ref('list_candidates') }}
),

suppressed as (
    select * from {{ ref('retention_list_suppressed') }}
),

situation as (
    select * from {{ ref('customer_situation') }}
),

churn_reason as (
    select * from {{ ref('churn_reason') }}
),

stated_reasons as (
    select * from {{ ref('stated_reasons') }}
),

offer_by_type as (
    select * from {{ ref('offer_by_type') }}
),

tiers as (
    select * from {{ ref('tier_policy') }}
),

-- for every reason and tier the one offer that speaks of them most closely
offers as (
    select
        churn_reason.reason_code,
        tiers.value_tier,
        offer_by_type.offer_code,
        offer_by_type.offer
    from churn_reason
    cross join tiers
    inner join offer_by_type
        on
            offer_by_type.reason_code in (churn_reason.reason_code, '*')
            and offer_by_type.value_tier in (tiers.value_tier, '*')
    qualify row_number() over (
        partition by churn_reason.reason_code, tiers.value_tier
        order by offer_by_type.reason_code = '*' asc, offer_by_type.value_tier = '*' asc
    ) = 1
),

allowed as (
    select candidates.*
    from candidates
    where not exists (
        select 1
        from suppressed
        where suppressed.list_code = candidates.list_code and suppressed.customer_id = candidates.customer_id
    )
),

final as (
    select
        allowed.as_of_date,
        allowed.list_code,
        allowed.customer_id,
        allowed.list_row_id,
        allowed.list_kind,
        cast(
            row_number() over (
                partition by allowed.list_code order by allowed.rank_value desc, allowed.customer_id asc
            ) as integer
        ) as rank,
        allowed.rank_value,
        allowed.priority,
        situation.churn_or_return_probability,
        situation.probability_of,
        allowed.value_at_risk,
        allowed.expected_gain,
        allowed.expected_cost,
        allowed.tactic,
        allowed.assumed_effect,
        allowed.effect_basis,
        allowed.probability_rise,
        allowed.reserved_cost,
        situation.value_tier,
        situation.lifecycle_stage,
        situation.last_order_on,
        situation.days_since_last_order,
        situation.expected_next_order_on,
        situation.expected_next_order_basis,
        situation.days_overdue,
        situation.reason_code,
        situation.reason_kind,
        situation.reason_confidence,
        situation.driver_1,
        situation.driver_2,
        situation.driver_3,
        coalesce(allowed.topic, churn_reason.title) as topic,
        allowed.occasion,
        case when not allowed.occasion_is_private then allowed.occasion_on end as occasion_on,
        allowed.plan_code,
        allowed.next_action,
        allowed.talking_points,
        allowed.asks_reason,
        stated_reasons.stated_code as stated_reason,
        stated_reasons.stated_on,
        allowed.actor,
        allowed.winback_step,
        allowed.reward_step,
        allowed.reward_percent,
        allowed.reward_amount,
        case when allowed.reward_step is not null then offers.offer_code end as offer_code,
        case
            when allowed.reward_step is not null
                then replace(offers.offer, '{reward_percent}', rtrim(rtrim(cast(allowed.reward_percent as string), '0'), '.'))
        end as offer,
        case
            when allowed.reward_step is not null then 'offer'
            when allowed.channel in ('phone', 'visit') then 'call'
            else 'message'
        end as intervention,
        allowed.channel,
        allowed.consent_state,
        allowed.is_reachable,
        situation.preferred_channel,
        situation.favourite_category,
        situation.next_best_category,
        situation.owner_id,
        situation.team,
        situation.leaving_owner_id,
        allowed.listed_on,
        allowed.due_on,
        cast(greatest({{ days_between('allowed.due_on', as_of()) }}, 0) as integer) as days_late,
        allowed.campaign_cycle,
        allowed.arm,
        allowed.held_out_of,
        situation.score_kind,
        situation.model_version,
        situation.score_age_days
    from allowed
    inner join situation on allowed.customer_id = situation.customer_id
    left join churn_reason on situation.reason_code = churn_reason.reason_code
    left join offers on situation.reason_code = offers.reason_code and situation.value_tier = offers.value_tier
    -- whoever said it before is not asked as if nobody had listened
    left join stated_reasons on allowed.asks_reason and allowed.customer_id = stated_reasons.customer_id
)

select * from final
