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
        min_by(coalesce(owner_id, 'unassigned'), batch_on) as budget_owner
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

rewarded as (
    select
        tasks.list_row_id,
        {{ days_after('tasks.listed_on', 'reward_ladder.window_days') }} as reward_until
    from tasks
    inner join reward_ladder on tasks.reward_step = reward_ladder.reward_step
    where tasks.arm = 'treatment'
),

redeemed as (
    select distinct rewarded.list_row_id
    from rewarded
    inner join tasks on rewarded.list_row_id = tasks.list_row_id
    inner join purchases on tasks.customer_id = purchases.customer_id
    where purchases.ordered_on > tasks.listed_on and purchases.ordered_on <= rewarded.reward_until
),

final as (
    select
        tasks.list_row_id,
        tasks.list_code,
        tasks.list_kind,
        tasks.customer_id,
        tasks.occasion,
        tasks.winback_step,
        tasks.listed_on,
        tasks.last_published_on,
        tasks.due_on,
        tasks.arm,
        tasks.held_out_of,
        tasks.campaign_cycle,
        tasks.reward_step,
        tasks.reserved_cost,
        tasks.reward_amount,
        tasks.reason_code,
        tasks.budget_owner,
        answers.done_on,
        -- a duty is owed until it is done, however late
        answers.done_on is null and (tasks.due_on >= {{ as_of() }} or tasks.list_kind = 'duty') as is_open,
        coalesce(answers.done_on, case when tasks.list_kind <> 'duty' then tasks.due_on end) as closed_on,
        rewarded.reward_until,
        redeemed.list_row_id is not null as is_redeemed
    from tasks
    left join answers on tasks.list_row_id = answers.list_row_id
    left join rewarded on tasks.list_row_id = rewarded.list_row_id
    left join redeemed on tasks.list_row_id = redeemed.list_row_id
)

select * from final
