{%- set lists = declared_lists() -%}

with situation as (
    select * from {{ ref('customer_situation') }}
),

plan_by_reason as (
    select * from {{ ref('plan_by_reason') }}
),

reward_ladder as (
    select * from {{ ref('reward_ladder') }}
),

tier_policy as (
    select * from {{ ref('tier_policy') }}
),

revisit_cadence as (
    select * from {{ ref('revisit_cadence') }}
),

contact_channel as (
    select * from {{ ref('contact_channel') }}
),

channel_permissions as (
    select * from {{ ref('channel_permissions') }}
),

consent_freshness as (
    select * from {{ ref('consent_freshness') }}
),

past_tasks as (
    select * from {{ ref('past_tasks') }}
),

qualified as (
    {%- for list in lists %}
    select
        '{{ list.code }}' as list_code,
        '{{ list.goal }}' as goal,
        '{{ list.cadence }}' as cadence_code,
        '{{ list.about }}' as probability_of,
        {{ 'true' if list.holdout else 'false' }} as has_holdout,
        *
    from situation
    where
        {{ list.qualifies }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

planned as (
    select
        qualified.*,
        plan_by_reason.plan_code,
        plan_by_reason.next_action,
        plan_by_reason.actor,
        plan_by_reason.channel as plan_channel,
        plan_by_reason.with_reward,
        plan_by_reason.assumed_effect,
        revisit_cadence.due_within_days,
        tier_policy.max_reward_step
    from qualified
    inner join plan_by_reason
        on qualified.goal = plan_by_reason.goal and qualified.reason_code = plan_by_reason.reason_code
    left join tier_policy on qualified.value_tier = tier_policy.value_tier
    left join revisit_cadence
        on qualified.cadence_code = revisit_cadence.cadence_code and qualified.value_tier = revisit_cadence.value_tier
),

-- the channel the customer prefers, else the one the plan suits best, else the cheapest, of those permitted
permitted_channel as (
    select
        planned.list_code,
        planned.customer_id,
        channel_permissions.channel
    from planned
    inner join channel_permissions on planned.customer_id = channel_permissions.customer_id
    left join contact_channel on channel_permissions.channel = contact_channel.channel
    where channel_permissions.granted
    qualify row_number() over (
        partition by planned.list_code, planned.customer_id
        order by
            case channel_permissions.channel
                when planned.preferred_channel then 0
                when planned.plan_channel then 1
                else 2
            end,
            coalesce(contact_channel.position, 99),
            channel_permissions.channel
    ) = 1
),

open_task as (
    select *
    from past_tasks
    where is_open
    qualify row_number() over (partition by list_code, customer_id order by listed_on desc, list_row_id) = 1
),

-- the ladder belongs to the customer, not to a list, and only a reward that was really offered counts
last_reward as (
    select *
    from past_tasks
    where reward_until is not null
    qualify row_number() over (partition by customer_id order by listed_on desc, list_row_id) = 1
),

decided as (
    select
        planned.*,
        coalesce(open_task.listed_on, {{ as_of() }}) as listed_on,
        open_task.list_row_id is not null as is_continued,
        open_task.list_row_id as continued_row_id,
        open_task.due_on as continued_due_on,
        open_task.arm as continued_arm,
        open_task.campaign_cycle as continued_cycle,
        case
            when not planned.with_reward then null
            when open_task.list_row_id is not null then open_task.reward_step
            else least(
                case
                    when last_reward.list_row_id is null or last_reward.is_redeemed then 1
                    when last_reward.reward_until >= {{ as_of() }} then last_reward.reward_step
                    else last_reward.reward_step + 1
                end,
                planned.max_reward_step
            )
        end as reward_step,
        case
            when not consent_freshness.is_supplied
                then coalesce(planned.preferred_channel, planned.plan_channel)
            else coalesce(permitted_channel.channel, planned.preferred_channel, planned.plan_channel)
        end as channel,
        case
            when not consent_freshness.is_supplied then 'not_supplied'
            when permitted_channel.channel is not null then 'granted'
            else 'missing'
        end as consent_state
    from planned
    cross join consent_freshness
    left join permitted_channel
        on planned.list_code = permitted_channel.list_code and planned.customer_id = permitted_channel.customer_id
    left join open_task
        on planned.list_code = open_task.list_code and planned.customer_id = open_task.customer_id
    left join last_reward on planned.customer_id = last_reward.customer_id
),

costed as (
    select
        decided.*,
        coalesce(decided.continued_cycle, {{ campaign_cycle('decided.listed_on') }}) as campaign_cycle,
        coalesce(decided.continued_due_on, {{ days_after('decided.listed_on', 'decided.due_within_days') }}) as due_on,
        reward_ladder.reward_percent,
        cast(coalesce(contact_channel.contact_cost, {{ var('default_contact_cost') }}) as decimal(18, 2))
            as contact_cost,
        cast(
            coalesce(reward_ladder.reward_percent * decided.average_order_amount / 100, 0) as decimal(18, 2)
        ) as reward_amount
    from decided
    left join reward_ladder on decided.reward_step = reward_ladder.reward_step
    left join contact_channel on decided.channel = contact_channel.channel
),

weighed as (
    select
        *,
        cast({{ as_declared(lists, 'probability') }} as double) as probability,
        cast({{ as_declared(lists, 'at_stake') }} as decimal(18, 2)) as value_at_risk,
        cast({{ as_declared(lists, 'gain') }} as decimal(18, 2)) as expected_gain,
        cast(
            contact_cost + reward_amount * ({{ as_declared(lists, 'redemption') }}) as decimal(18, 2)
        ) as expected_cost,
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
        probability,
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
        score_kind,
        model_version,
        score_age_days
    from weighed
    where expected_gain > expected_cost
)

select * from final
