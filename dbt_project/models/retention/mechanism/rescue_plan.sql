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
    where winback_step is not null and arm = 'treatment' and not is_open
),

rescue_step as (
    select * from {{ ref('rescue_step') }}
),

refusals as (
    select * from {{ ref('int_profiling_refusals') }}
),

-- the customer ordered nothing since, or would not be churned still: a step that is over has failed
failed as (
    select
        situation.customer_id,
        past_tasks.winback_step,
        past_tasks.listed_on,
        past_tasks.closed_on
    from situation
    inner join past_tasks
        on situation.customer_id = past_tasks.customer_id and situation.churned_on <= past_tasks.listed_on
    qualify row_number() over (
        partition by situation.customer_id, past_tasks.winback_step order by past_tasks.closed_on desc, past_tasks.list_row_id asc
    ) = 1
),

begun as (
    select customer_id from failed
    union
    select customer_id from listed
),

steps as (
    select
        begun.customer_id,
        situation.churned_on,
        situation.winback_step as current_step,
        rescue_step.winback_step,
        rescue_step.title,
        rescue_step.wait_days,
        coalesce(failed.listed_on, listed.listed_on) as opened_on,
        coalesce(failed.closed_on, listed.due_on) as ends_on,
        failed.customer_id is not null as is_failed,
        listed.customer_id is not null as is_open,
        listed.next_action
    from begun
    inner join situation on begun.customer_id = situation.customer_id
    cross join rescue_step
    left join failed on begun.customer_id = failed.customer_id and rescue_step.winback_step = failed.winback_step
    left join listed on begun.customer_id = listed.customer_id and rescue_step.winback_step = listed.winback_step
    anti join refusals on begun.customer_id = refusals.customer_id
),

dated as (
    select
        *,
        lag(ends_on) over steps_of_customer as last_ends_on,
        lag(wait_days) over steps_of_customer as last_wait_days
    from steps
    window steps_of_customer as (partition by customer_id order by winback_step)
),

final as (
    select
        {{ as_of() }} as as_of_date,
        customer_id,
        winback_step,
        title,
        case
            when is_open then 'open'
            when is_failed then 'failed'
            when winback_step = current_step then 'waiting'
            else 'later'
        end as state,
        churned_on,
        opened_on,
        ends_on,
        -- a step after the next has no day yet: whether it comes depends on the next one
        case
            when not is_open and not is_failed then {{ days_after('last_ends_on', 'last_wait_days') }}
        end as opens_from_on,
        next_action
    from dated
)

select * from final
