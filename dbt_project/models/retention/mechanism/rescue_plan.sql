with situation as (
    select * from {{ ref('customer_situation') }}
    where churned_on is not null
),

listed as (
    select * from {{ ref('retention_list') }}
    where winback_step is not null and arm = 'treatment'
),

past_tasks as (
    select * from {{ ref('past_tasks') }}
    where winback_step is not null and execution in ('done', 'not_done', 'not_recorded')
),

rescue_step as (
    select * from {{ ref('rescue_step') }}
),

rescue_ladder as (
    select * from {{ ref('rescue_ladder') }}
),

refusals as (
    select * from {{ ref('int_profiling_refusals') }}
),

-- the customer ordered nothing since, or would not be churned still: a step that was taken has failed
past_steps as (
    select
        situation.customer_id,
        past_tasks.winback_step,
        past_tasks.execution,
        past_tasks.listed_on,
        past_tasks.closed_on
    from situation
    inner join past_tasks
        on situation.customer_id = past_tasks.customer_id and situation.churned_on <= past_tasks.listed_on
    qualify row_number() over (
        partition by situation.customer_id, past_tasks.winback_step
        order by past_tasks.execution = 'done' desc, past_tasks.closed_on desc, past_tasks.list_row_id asc
    ) = 1
),

begun as (
    select customer_id from past_steps
    union
    select customer_id from listed
),

steps as (
    select
        begun.customer_id,
        situation.churned_on,
        rescue_ladder.current_step,
        rescue_ladder.skipped_because,
        rescue_step.winback_step,
        rescue_step.title,
        rescue_step.wait_days,
        coalesce(listed.listed_on, past_steps.listed_on) as opened_on,
        coalesce(listed.due_on, past_steps.closed_on) as ends_on,
        past_steps.execution,
        listed.customer_id is not null as is_open,
        listed.next_action
    from begun
    inner join situation on begun.customer_id = situation.customer_id
    inner join rescue_ladder on begun.customer_id = rescue_ladder.customer_id
    inner join rescue_step on rescue_ladder.winback_step = rescue_step.winback_step
    left join past_steps on begun.customer_id = past_steps.customer_id and rescue_step.winback_step = past_steps.winback_step
    left join listed on begun.customer_id = listed.customer_id and rescue_step.winback_step = listed.winback_step
    anti join refusals on begun.customer_id = refusals.customer_id
),

stated as (
    select
        *,
        case
            when is_open then 'open'
            when execution = 'done' then 'failed'
            when execution is not null then execution
            -- the ladder never goes down again, even where a step is permitted since
            when skipped_because is not null or winback_step < current_step then 'skipped'
            when winback_step = current_step then 'waiting'
            else 'later'
        end as state
    from steps
),

dated as (
    select
        *,
        -- a step that was not taken, or of which nobody knows, opens no other
        lag(case when is_open or execution = 'done' then ends_on end) over steps_taken as last_ends_on,
        lag(wait_days) over steps_taken as last_wait_days
    from stated
    window steps_taken as (partition by customer_id, state = 'skipped' order by winback_step)
),

final as (
    select
        {{ as_of() }} as as_of_date,
        customer_id,
        winback_step,
        title,
        state,
        case when state = 'skipped' then coalesce(skipped_because, 'permitted since a later step') end as skipped_because,
        churned_on,
        opened_on,
        ends_on,
        -- a step after the next has no day yet: whether it comes depends on the next one
        case when state in ('waiting', 'later') then {{ days_after('last_ends_on', 'last_wait_days') }} end as opens_from_on,
        next_action
    from dated
)

select * from final
