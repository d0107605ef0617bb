with published as (
    select * from {{ ref('fed_back_published_lists') }}
),

interactions as (
    select * from {{ ref('stg_interactions') }}
),

purchases as (
    select * from {{ ref('int_purchases') }}
),

reward_ladder as (
    select * from {{ ref('reward_ladder') }}
),

-- a task is published every day until it is done: its first publication is what was decided
tasks as (
    select
        list_row_id,
        list_code,
        customer_id,
        min(listed_on) as listed_on,
        max(batch_on) as last_published_on,
        min_by(due_on, batch_on) as due_on,
        min_by(arm, batch_on) as arm,
        min_by(held_out_of, batch_on) as held_out_of,
        min_by(campaign_cycle, batch_on) as campaign_cycle,
        -- lists published before there were kinds sold something
        coalesce(min_by(list_kind, batch_on), 'promotion') as list_kind,
        min_by(occasion, batch_on) as occasion,
        min_by(winback_step, batch_on) as winback_step,
        min_by(reward_step, batch_on) as reward_step,
        min_by(reserved_cost, batch_on) as reserved_cost,
        min_by(reward_amount, batch_on) as reward_amount,
        min_by(reason_code, batch_on) as reason_code,
        min_by(coalesce(owner_id, 'unassigned'), batch_on) as budget_owner,
        min_by(channel, batch_on) as channel
    from published
    group by list_row_id, list_code, customer_id
),

answers as (
    select
        list_row_id,
        min(occurred_on) as done_on
    from interactions
    where list_row_id is not null and outcome in ('reached', 'refused', 'done')
    group by list_row_id
),

-- channels of whose tasks the company records what became of them: a silence on another one says nothing
recorded_channels as (
    select distinct tasks.channel
    from tasks
    inner join interactions on tasks.list_row_id = interactions.list_row_id
),

followed as (
    select
        tasks.*,
        answers.done_on,
        -- a duty is owed until it is done, however late
        answers.done_on is null and (tasks.due_on >= {{ as_of() }} or tasks.list_kind = 'duty') as is_open,
        case
            when tasks.arm = 'control' then 'held_out'
            when answers.done_on is not null then 'done'
            when tasks.due_on >= {{ as_of() }} or tasks.list_kind = 'duty' then 'open'
            when recorded_channels.channel is not null then 'not_done'
            else 'not_recorded'
        end as execution
    from tasks
    left join answers on tasks.list_row_id = answers.list_row_id
    left join recorded_channels on tasks.channel = recorded_channels.channel
),

-- a reward of which it is on record that nobody offered it cannot be earned
rewarded as (
    select
        followed.list_row_id,
        followed.customer_id,
        coalesce(followed.done_on, followed.listed_on) as offered_on,
        {{ days_after('coalesce(followed.done_on, followed.listed_on)', 'reward_ladder.window_days') }} as reward_until
    from followed
    inner join reward_ladder on followed.reward_step = reward_ladder.reward_step
    where followed.execution not in ('held_out', 'not_done')
),

redeemed as (
    select distinct rewarded.list_row_id
    from rewarded
    inner join purchases on rewarded.customer_id = purchases.customer_id
    where purchases.ordered_on > rewarded.offered_on and purchases.ordered_on <= rewarded.reward_until
),

final as (
    select
        followed.list_row_id,
        followed.list_code,
        followed.list_kind,
        followed.customer_id,
        followed.occasion,
        followed.winback_step,
        followed.listed_on,
        followed.last_published_on,
        followed.due_on,
        followed.arm,
        followed.held_out_of,
        followed.campaign_cycle,
        followed.reward_step,
        followed.reserved_cost,
        followed.reward_amount,
        followed.reason_code,
        followed.budget_owner,
        followed.channel,
        followed.done_on,
        followed.is_open,
        followed.execution,
        coalesce(followed.done_on, case when followed.list_kind <> 'duty' then followed.due_on end) as closed_on,
        rewarded.reward_until,
        redeemed.list_row_id is not null as is_redeemed
    from followed
    left join rewarded on followed.list_row_id = rewarded.list_row_id
    left join redeemed on followed.list_row_id = redeemed.list_row_id
)

select * from final
