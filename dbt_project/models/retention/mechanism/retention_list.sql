with candidates as (
    select * from {{ ref('list_candidates') }}
),

suppressed as (
    select * from {{ ref('retention_list_suppressed') }}
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
        as_of_date,
        list_code,
        customer_id,
        list_row_id,
        cast(
            row_number() over (partition by list_code order by priority desc, customer_id asc) as integer
        ) as rank,
        priority,
        churn_or_return_probability,
        probability_of,
        value_at_risk,
        expected_gain,
        expected_cost,
        assumed_effect,
        reserved_cost,
        value_tier,
        lifecycle_stage,
        last_order_on,
        days_since_last_order,
        expected_next_order_on,
        days_overdue,
        reason_code,
        reason_kind,
        reason_confidence,
        driver_1,
        driver_2,
        driver_3,
        plan_code,
        next_action,
        actor,
        reward_step,
        reward_percent,
        reward_amount,
        channel,
        consent_state,
        owner_id,
        listed_on,
        due_on,
        campaign_cycle,
        arm,
        score_kind,
        model_version,
        score_age_days
    from allowed
)

select * from final
