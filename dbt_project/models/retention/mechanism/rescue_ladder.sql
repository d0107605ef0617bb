with churn_spells as (
    select * from {{ ref('churn_spells') }}
    where returned_on is null
),

rescue_step as (
    select * from {{ ref('rescue_step') }}
),

contactability as (
    select * from {{ ref('customer_contactability') }}
),

past_tasks as (
    select * from {{ ref('past_tasks') }}
    where winback_step is not null and execution in ('open', 'done')
),

-- a step counts once it is on record that it was taken
taken as (
    select
        churn_spells.customer_id,
        max(past_tasks.winback_step) filter (where past_tasks.execution = 'open') as open_step,
        max(past_tasks.winback_step) filter (where past_tasks.execution = 'done') as last_step
    from churn_spells
    inner join past_tasks
        on churn_spells.customer_id = past_tasks.customer_id and churn_spells.churned_on <= past_tasks.listed_on
    group by churn_spells.customer_id
),

steps as (
    select
        churn_spells.customer_id,
        rescue_step.winback_step,
        -- a step that names no channel takes any: where none is permitted, none of the others is either, and the list says so
        rescue_step.channel is null or coalesce(contactability.may_be_contacted, false) as is_permitted,
        case
            when rescue_step.channel is null or contactability.may_be_contacted then null
            when contactability.blocked_by = 'no_address' then 'no address or number for ' || rescue_step.channel
            when contactability.blocked_by = 'consent_withdrawn' then 'consent to ' || rescue_step.channel || ' withdrawn'
            else 'no consent to ' || rescue_step.channel
        end as skipped_because
    from churn_spells
    cross join rescue_step
    left join contactability
        on churn_spells.customer_id = contactability.customer_id and rescue_step.channel = contactability.channel
),

final as (
    select
        steps.customer_id,
        steps.winback_step,
        steps.is_permitted,
        steps.skipped_because,
        -- what was begun is ended first; the ladder never goes down again
        cast(coalesce(
            taken.open_step,
            min(case when steps.is_permitted and steps.winback_step > coalesce(taken.last_step, 0) then steps.winback_step end)
                over (partition by steps.customer_id),
            max(steps.winback_step) over (partition by steps.customer_id) + 1
        ) as integer) as current_step
    from steps
    left join taken on steps.customer_id = taken.customer_id
)

select * from final
