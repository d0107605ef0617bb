with qualified as (
    select * from {{ ref('list_qualified') }}
),

declared as (
    select * from {{ ref('list_declarations') }}
),

situation as (
    select * from {{ ref('customer_situation') }}
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
    qualify row_number() over (
        partition by list_code, customer_id, occasion order by listed_on desc, list_row_id asc
    ) = 1
),

-- the ladder belongs to the customer, not to a list; a reward that was held out, or surely not offered, is none
last_reward as (
    select *
    from past_tasks
    where reward_until is not null
    qualify row_number() over (partition by customer_id order by listed_on desc, list_row_id asc) = 1
),

decided as (
    select
        qualified.*,
        declared.list_kind,
        declared.is_optional,
        declared.has_holdout,
        declared.occasion_is_private,
        declared.precedence,
        declared.cooling_days,
        contact_routes.channel,
        coalesce(contact_routes.contact_cost, 0) as contact_cost,
        contact_routes.consent_state,
        contact_routes.is_reachable,
        situation.identity_id,
        situation.average_order_amount,
        situation.owner_id,
        open_task.list_row_id is not null as is_continued,
        open_task.list_row_id as continued_row_id,
        open_task.held_out_of as continued_held_out_of,
        open_task.arm as continued_arm,
        coalesce(open_task.listed_on, {{ as_of() }}) as listed_on,
        coalesce(
            open_task.due_on,
            qualified.declared_due_on,
            {{ days_after(as_of(), 'qualified.due_within_days') }}
        ) as due_on,
        coalesce(open_task.campaign_cycle, {{ campaign_cycle(as_of()) }}) as campaign_cycle,
        case
            when not qualified.with_reward then null
            when open_task.list_row_id is not null then open_task.reward_step
            when last_reward.list_row_id is null or last_reward.is_redeemed then 1
            when last_reward.reward_until >= {{ as_of() }} then least(last_reward.reward_step, qualified.max_reward_step)
            -- nobody knows whether it was offered: nobody goes on to a higher one
            when last_reward.execution <> 'done' then least(last_reward.reward_step, qualified.max_reward_step)
            else least(last_reward.reward_step + 1, qualified.max_reward_step)
        end as reward_step
    from qualified
    inner join declared on qualified.list_code = declared.list_code
    inner join situation on qualified.customer_id = situation.customer_id
    left join contact_routes
        on qualified.list_code = contact_routes.list_code and qualified.customer_id = contact_routes.customer_id
    left join open_task
        on
            qualified.list_code = open_task.list_code
            and qualified.customer_id = open_task.customer_id
            and coalesce(qualified.occasion, '') = coalesce(open_task.occasion, '')
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
        -- what is owed is not paid out of what an owner may spend at will
        cast(case when is_optional then contact_cost + reward_amount else 0 end as decimal(18, 2)) as reserved_cost
    from costed
),

-- two lots: one of a customer's quarter, whatever list he comes onto, and one of each list for who is not held out of all
drawn as (
    select
        *,
        cast(expected_gain - expected_cost as decimal(18, 2)) as priority,
        case
            when continued_row_id is not null then continued_held_out_of
            when not has_holdout then null
            when {{ stable_share(['campaign_cycle', 'identity_id']) }} < {{ var('programme_control_share') }} then 'all_lists'
            when {{ stable_share(['list_code', 'campaign_cycle', 'identity_id']) }} < {{ var('control_share') }} then 'this_list'
            else 'nothing'
        end as held_out_of
    from weighed
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
        list_kind,
        is_optional,
        precedence,
        cooling_days,
        priority,
        -- one figure to rank by, whatever the list is about
        coalesce(priority, declared_rank, 0) as rank_value,
        value_at_risk,
        expected_gain,
        expected_cost,
        reserved_cost,
        contact_cost,
        tactic,
        assumed_effect,
        effect_basis,
        probability_rise,
        topic,
        occasion,
        occasion_on,
        occasion_is_private,
        plan_code,
        next_action,
        talking_points,
        asks_reason,
        actor,
        winback_step,
        is_stepped_out,
        reward_step,
        reward_percent,
        reward_amount,
        channel,
        prescribed_channel,
        consent_state,
        is_reachable,
        listed_on,
        due_on,
        is_continued,
        campaign_cycle,
        coalesce(
            continued_arm, case when held_out_of in ('all_lists', 'this_list') then 'control' else 'treatment' end
        ) as arm,
        held_out_of
    from drawn
)

select * from final
