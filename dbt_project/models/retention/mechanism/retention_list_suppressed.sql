with candidates as (
    select * from {{ ref('list_candidates') }}
),

erasure_requests as (
    select * from {{ ref('stg_erasure_requests') }}
),

consents as (
    select * from {{ ref('stg_consents') }}
),

tickets as (
    select * from {{ ref('stg_tickets') }}
),

past_tasks as (
    select * from {{ ref('past_tasks') }}
),

budgets as (
    select * from {{ ref('owner_month_budget') }}
),

-- rules about the customer, each on its own: list_code, customer_id, rule, held_because

erasure as (
    select distinct
        candidates.list_code,
        candidates.customer_id,
        'erasure' as rule,
        'asked to be forgotten' as held_because
    from candidates
    inner join erasure_requests on candidates.customer_id = erasure_requests.customer_id
),

test_account as (
    select
        list_code,
        customer_id,
        'test_account' as rule,
        'test or staff account' as held_because
    from candidates
    where is_test
),

latest_profiling_choice as (
    select
        customer_id,
        granted,
        changed_on
    from consents
    where basis = 'profiling'
    qualify row_number() over (partition by customer_id order by changed_at desc, granted asc, channel asc) = 1
),

profiling_objection as (
    select
        candidates.list_code,
        candidates.customer_id,
        'profiling_objection' as rule,
        'objected to profiling on ' || cast(latest_profiling_choice.changed_on as string) as held_because
    from candidates
    inner join latest_profiling_choice on candidates.customer_id = latest_profiling_choice.customer_id
    where not latest_profiling_choice.granted
),

withdrawals as (
    select
        customer_id,
        max(changed_on) as withdrawn_on
    from consents
    where coalesce(basis, 'marketing') = 'marketing' and not granted
    group by customer_id
),

no_consent as (
    select
        candidates.list_code,
        candidates.customer_id,
        'no_consent' as rule,
        case
            when withdrawals.customer_id is null then 'never consented to being contacted on any channel'
            else 'withdrew the last consent on ' || cast(withdrawals.withdrawn_on as string)
        end as held_because
    from candidates
    left join withdrawals on candidates.customer_id = withdrawals.customer_id
    where candidates.consent_state = 'missing'
),

unreachable as (
    select
        list_code,
        customer_id,
        'unreachable' as rule,
        'no address or number on any channel that may be used' as held_because
    from candidates
    where consent_state <> 'missing' and not is_reachable
),

open_complaints as (
    select
        customer_id,
        min(opened_on) as oldest_on
    from tickets
    where kind = 'complaint' and resolved_at is null
    group by customer_id
),

open_complaint as (
    select
        candidates.list_code,
        candidates.customer_id,
        'open_complaint' as rule,
        'complaint open since ' || cast(open_complaints.oldest_on as string) || ': solve it first' as held_because
    from candidates
    inner join open_complaints on candidates.customer_id = open_complaints.customer_id
    where candidates.is_promotion
),

last_closed as (
    select
        list_code,
        customer_id,
        max(closed_on) as closed_on
    from past_tasks
    where not is_open
    group by list_code, customer_id
),

cooling as (
    select
        candidates.*,
        {{ days_after('last_closed.closed_on', 'candidates.cooling_days') }} as free_on
    from candidates
    inner join last_closed using (list_code, customer_id)
    where not candidates.is_continued
),

cooling_period as (
    select
        list_code,
        customer_id,
        'cooling_period' as rule,
        'was on this list before; free again on ' || cast(free_on as string) as held_because
    from cooling
    where free_on > {{ as_of() }}
),

held_by_customer as (
    select * from erasure
    union all
    select * from test_account
    union all
    select * from profiling_objection
    union all
    select * from no_consent
    union all
    select * from unreachable
    union all
    select * from open_complaint
    union all
    select * from cooling_period
),

-- rules about what is left, in turn: how often one customer is contacted, then what the owner may spend

contactable as (
    select candidates.*
    from candidates
    where not exists (
        select 1
        from held_by_customer
        where held_by_customer.list_code = candidates.list_code and held_by_customer.customer_id = candidates.customer_id
    )
),

recent_tasks as (
    select
        customer_id,
        count(*) as tasks
    from past_tasks
    where listed_on > {{ days_after(as_of(), '-' ~ var('contact_cap_days')) }}
    group by customer_id
),

counted as (
    select
        contactable.*,
        coalesce(recent_tasks.tasks, 0) as tasks_before,
        coalesce(recent_tasks.tasks, 0) + row_number() over (
            partition by contactable.customer_id, contactable.is_continued
            order by contactable.priority desc, contactable.list_code asc
        ) as tasks_with_this
    from contactable
    left join recent_tasks on contactable.customer_id = recent_tasks.customer_id
),

frequency_cap as (
    select
        list_code,
        customer_id,
        'frequency_cap' as rule,
        'would be contact ' || cast(tasks_with_this as string) || ' within {{ var("contact_cap_days") }} days' as held_because
    from counted
    where not is_continued and tasks_with_this > {{ var('contact_cap') }}
),

-- lists take turns, or the one whose customers are worth more at a time would take it all:
-- who left long ago may be worth more than who is about to leave, but not before him
placed as (
    select
        *,
        row_number() over (
            partition by budget_owner, list_code
            order by priority desc, customer_id asc
        ) as place_on_list
    from counted
    where not is_continued and tasks_with_this <= {{ var('contact_cap') }}
),

ranked as (
    select
        placed.*,
        budgets.monthly_budget,
        budgets.left_over,
        -- a control row costs nothing, but falls out where a treated one of its place would:
        -- both arms are cut at the same place, or they could not be compared
        sum(case when placed.arm = 'treatment' then placed.reserved_cost else 0 end) over (
            partition by placed.budget_owner
            order by placed.place_on_list asc, placed.priority desc, placed.list_code asc
            rows between unbounded preceding and current row
        ) as reserved_so_far
    from placed
    inner join budgets on placed.budget_owner = budgets.budget_owner
),

budget as (
    select
        list_code,
        customer_id,
        'budget' as rule,
        'the month''s budget of ' || budget_owner || ' (' || cast(monthly_budget as string) || ') is used up'
            as held_because
    from ranked
    where reserved_so_far > left_over
),

held as (
    select * from held_by_customer
    union all
    select * from frequency_cap
    union all
    select * from budget
),

final as (
    select
        candidates.as_of_date,
        candidates.list_code,
        candidates.customer_id,
        held.rule,
        held.held_because,
        candidates.list_row_id,
        candidates.priority,
        candidates.value_at_risk,
        candidates.value_tier,
        candidates.lifecycle_stage,
        candidates.owner_id,
        candidates.arm
    from held
    inner join candidates on held.list_code = candidates.list_code and held.customer_id = candidates.customer_id
)

select * from final
