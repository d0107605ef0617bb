with qualified as (
    select * from {{ ref('list_qualified') }}
),

contact_routes as (
    select * from {{ ref('contact_routes') }}
),

reward_ladder as (
    select * from {{ ref('reward_ladder') }}
),

past_tasks as (
    select * from {{ ref('past_tasks') }}
),

open_task as (
    select *
    from past_tasks
    where is_open
    qualify row_number() over (partition by list_code, customer_id order by listed_on desc, list_row_id asc) = 1
),

-- the ladder belongs to the customer, not to a list, and only a reward that was really offered counts
last_reward as (
    select *
    from past_tasks
    where reward_until is not null
    qualify row_number() over (partition by customer_id order by listed_on desc, list_row_id asc) = 1
),

decided as (
    select
        qualified.*,
        contact_routes.channel,
        contact_routes.contact_cost,
        contact_routes.consent_state,
        contact_routes.is_reachable,
        open_task.list_row_id is not null as is_continued,
        open_task.list_row_id as continued_row_id,
        open_task.arm as continued_arm,
        coalesce(open_task.listed_on, {{ as_of() }}) as listed_on,
        coalesce(open_task.due_on, {{ days_after(as_of(), 'qualified.due_within_days') }}) as due_on,
        coalesce(open_task.campaign_cycle, {{ campaign_cycle(as_of()) }}) as campaign_cycle,
        case
            when not qualified.with_reward then null
            when open_task.list_row_id is not null then open_task.reward_step
            when last_reward.list_row_id is null or last_reward.is_redeemed then 1
            when last_reward.reward_until >= {{ as_of() }} then least(last_reward.reward_step, qualified.max_reward_step)
            else least(last_reward.reward_step + 1, qualified.max_reward_step)
        end as reward_step
    from qualified
    inner join contact_routes
        on qualified.list_code = contact_routes.list_code and qualified.customer_id = contact_routes.customer_id
    left join open_task
        on qualified.list_code = open_task.list_code and qualified.customer_id = open_task.customer_id
    left join last_reward on qualified.customer_id = last_reward.customer_id
),

costed as (
    select
        decided.*,
        reward_ladder.reward_percent,
        cast(
            coalesce(reward_ladder.reward_percent * decided.average_order_amount / 100, 0) as decimal(18, 2)
        ) as reward_amount
    from decided
    left join reward_ladder on decided.reward_step = reward_ladder.reward_step
),

weighed as (
    select
        *,
        cast(contact_cost + reward_amount * redemption_probability as decimal(18, 2)) as expected_cost,
        cast(contact_cost + reward_amount as decimal(18, 2)) as reserved_cost
    from costed
),

final as (
    select
        {{ as_of() }} as as_of_date,
        list_code,
        customer_id,
        coalesce(
            continued_row_id,
            {{ stable_hash(['list_code', 'customer_id', 'listed_on']) }}
        ) as list_row_id,
        cast(expected_gain - expected_cost as decimal(18, 2)) as priority,
        churn_or_return_probability,
        probability_of,
        value_at_risk,
        expected_gain,
        expected_cost,
        reserved_cost,
        contact_cost,
        assumed_effect,
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
        is_reachable,
        owner_id,
        coalesce(owner_id, 'unassigned') as budget_owner,
        listed_on,
        due_on,
        is_continued,
        campaign_cycle,
        coalesce(
            continued_arm,
            case
                when
                    has_holdout
                    and {{ stable_share(['list_code', 'campaign_cycle', 'customer_id']) }} < {{ var('control_share') }}
                    then 'control'
                else 'treatment'
            end
        ) as arm,
        is_test,
        is_promotion,
        cooling_days,
        score_kind,
        model_version,
        score_age_days
    from weighed
    where expected_gain > expected_cost
)

select * from final
