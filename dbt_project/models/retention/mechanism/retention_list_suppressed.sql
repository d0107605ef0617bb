with candidates as (
    select
        candidates.*,
        situation.identity_id,
        situation.person_complaint_on,
        situation.value_tier,
        situation.lifecycle_stage,
        situation.owner_id,
        coalesce(situation.owner_id, 'unassigned') as budget_owner
    from {{ ref('list_candidates') }} as candidates
    inner join {{ ref('customer_situation') }} as situation on candidates.customer_id = situation.customer_id
),

refusals as (
    select * from {{ ref('int_profiling_refusals') }}
),

consents as (
    select * from {{ ref('int_consents') }}
    where basis = 'marketing'
),

-- of all records of a person
past_tasks as (
    select
        past_tasks.*,
        identities.identity_id
    from {{ ref('past_tasks') }} as past_tasks
    inner join {{ ref('int_identities') }} as identities on past_tasks.customer_id = identities.customer_id
),

rescue_step as (
    select * from {{ ref('rescue_step') }}
),

test_accounts as (
    select * from {{ ref('test_accounts') }}
),

budgets as (
    select * from {{ ref('owner_budgets') }}
),

-- rules about the customer, each on its own (what a person said or did under another record is in what they read): list_code, customer_id, rule, held_because

-- who asked to be forgotten is asked nothing further, and no other rule is looked at
erasure as (
    select
        candidates.list_code,
        candidates.customer_id,
        'erasure' as rule,
        'asked to be forgotten' as held_because
    from candidates
    inner join refusals on candidates.customer_id = refusals.customer_id
    where refusals.rule = 'erasure'
),

remembered as (
    select
        candidates.*,
        refusals.customer_id is null as may_be_profiled,
        refusals.objected_on
    from candidates
    left join refusals on candidates.customer_id = refusals.customer_id
    where coalesce(refusals.rule, '') <> 'erasure'
),

profiling_objection as (
    select
        list_code,
        customer_id,
        'profiling_objection' as rule,
        'objected to profiling on ' || cast(objected_on as string) as held_because
    from remembered
    where is_optional and not may_be_profiled
),

withdrawals as (
    select
        customer_id,
        max(changed_on) as withdrawn_on
    from consents
    where not is_granted
    group by customer_id
),

no_consent as (
    select
        remembered.list_code,
        remembered.customer_id,
        'no_consent' as rule,
        case
            when remembered.prescribed_channel is not null
                then 'no consent to ' || remembered.prescribed_channel || ', and nothing else would do what is planned'
            when withdrawals.customer_id is null then 'never consented to being contacted on any channel that would do'
            else 'withdrew the last consent on ' || cast(withdrawals.withdrawn_on as string)
        end as held_because
    from remembered
    left join withdrawals on remembered.customer_id = withdrawals.customer_id
    where remembered.consent_state = 'missing'
),

-- a duty is listed all the same: to find out how to reach the customer is part of it
unreachable as (
    select
        list_code,
        customer_id,
        'unreachable' as rule,
        'no address or number on any channel that may be used' as held_because
    from remembered
    where is_optional and consent_state <> 'missing' and not is_reachable
),

open_complaint as (
    select
        list_code,
        customer_id,
        'open_complaint' as rule,
        'complaint open since ' || cast(person_complaint_on as string) || ': solve it first' as held_because
    from remembered
    where is_optional and person_complaint_on is not null
),

does_not_pay as (
    select
        list_code,
        customer_id,
        'does_not_pay' as rule,
        'would cost more than it is expected to bring' as held_because
    from remembered
    where priority <= 0 and may_be_profiled
),

steps_used_up as (
    select
        list_code,
        customer_id,
        'steps_used_up' as rule,
        'no step of the rescue plan is left that may be taken' as held_because
    from remembered
    where is_stepped_out
),

-- a promise broken is no reason to break the next one: of duties only the same one, once done, rests
cooling as (
    select
        remembered.list_code,
        remembered.customer_id,
        max({{ days_after('past_tasks.closed_on', 'coalesce(rescue_step.wait_days, remembered.cooling_days)') }}) as free_on
    from remembered
    inner join past_tasks
        on remembered.list_code = past_tasks.list_code and remembered.identity_id = past_tasks.identity_id
    left join rescue_step on past_tasks.winback_step = rescue_step.winback_step
    where
        not remembered.is_continued
        and not past_tasks.is_open
        and (remembered.is_optional or coalesce(remembered.occasion, '') = coalesce(past_tasks.occasion, ''))
    group by remembered.list_code, remembered.customer_id
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
    select * from profiling_objection
    union all
    select * from no_consent
    union all
    select * from unreachable
    union all
    select * from open_complaint
    union all
    select * from does_not_pay
    union all
    select * from steps_used_up
    union all
    select * from cooling_period
),

-- rules about what is left, in turn: as whom a person is contacted, how often, then what the owner may spend

contactable as (
    select candidates.*
    from candidates
    where not exists (
        select 1
        from held_by_customer
        where held_by_customer.list_code = candidates.list_code and held_by_customer.customer_id = candidates.customer_id
    )
),

-- two records of a person are one row of a list; what is owed for two reasons is owed twice
records as (
    select
        *,
        first_value(customer_id) over (
            partition by list_code, identity_id, case when is_optional then '' else coalesce(occasion, '') end
            order by is_continued desc, rank_value desc, customer_id asc
        ) as listed_as
    from contactable
),

same_person as (
    select
        list_code,
        customer_id,
        'same_person' as rule,
        'is on this list as ' || listed_as as held_because
    from records
    where customer_id <> listed_as
),

recent_tasks as (
    select
        identity_id,
        count(*) as tasks
    from past_tasks
    where listed_on > {{ days_after(as_of(), '-' ~ var('contact_cap_days')) }}
    group by identity_id
),

-- The cap chooses by list, the budget by return: who is cut by the budget would have given up another list for nothing. So
-- the cap is counted again without what was cut, and the budget is spent anew (the first two rounds of deferred acceptance,
-- Gale and Shapley 1962; docs/adr/0012 says why two do).
{%- for round in [1, 2] %}

-- whoever is spoken to out of duty was spoken to: a duty is not counted out, but it counts
counted_{{ round }} as (
    select
        records.*,
        coalesce(recent_tasks.tasks, 0) + row_number() over (
            partition by records.identity_id, records.is_continued
            order by
                records.is_optional asc,
                records.precedence asc,
                records.rank_value desc,
                records.list_code asc,
                records.customer_id asc
        ) as tasks_with_this
    from records
    left join recent_tasks on records.identity_id = recent_tasks.identity_id
    {%- if not loop.first %}
    anti join cut_{{ round - 1 }} as cut on records.list_code = cut.list_code and records.customer_id = cut.customer_id
    {%- endif %}
    where records.customer_id = records.listed_as
),

-- Gains that were measured may be compared whatever the list: who brings more comes first. Assumed ones, and ranks that are no
-- money, compare within a list alone, so these lists take turns: or what was assumed most boldly would take it all.
placed_{{ round }} as (
    select
        *,
        row_number() over (
            partition by budget_owner, case when effect_basis <> 'assumed' then 'measured' else list_code end
            order by
                -- of a budget the most is made by what brings most per unit of it (Dantzig 1957)
                cast(priority / greatest(reserved_cost, 0.01) as decimal(18, 6)) desc nulls last,
                rank_value desc,
                list_code asc,
                customer_id asc
        ) as place_in_queue
    from counted_{{ round }}
    where is_optional and not is_continued and tasks_with_this <= {{ var('contact_cap') }}
),

ranked_{{ round }} as (
    select
        placed.*,
        budgets.left_before,
        -- what those before him take, and what he would take himself if he is held out: a row is cut or not whatever its own
        -- arm, or the arms could not be compared
        sum(case when placed.arm = 'treatment' then placed.reserved_cost else 0 end) over (
            partition by placed.budget_owner
            order by
                placed.place_in_queue asc,
                placed.precedence asc,
                placed.rank_value desc,
                placed.list_code asc,
                placed.customer_id asc
            rows between unbounded preceding and current row
        ) + case when placed.arm = 'control' then placed.reserved_cost else 0 end as reserved_so_far
    from placed_{{ round }} as placed
    inner join budgets on placed.budget_owner = budgets.budget_owner
),

cut_{{ round }} as (
    select
        list_code,
        customer_id,
        budget_owner
    from ranked_{{ round }}
    -- what costs nothing is not kept back by money
    where reserved_cost > 0 and reserved_so_far > left_before
    {%- if not loop.first %}
    union all
    select * from cut_{{ round - 1 }}
    {%- endif %}
),
{%- if loop.last %}

frequency_cap as (
    select
        list_code,
        customer_id,
        'frequency_cap' as rule,
        'would be contact ' || cast(tasks_with_this as string) || ' within {{ var("contact_cap_days") }} days' as held_because
    from counted_{{ round }}
    where is_optional and not is_continued and tasks_with_this > {{ var('contact_cap') }}
),

budget as (
    select
        cut.list_code,
        cut.customer_id,
        'budget' as rule,
        case
            when budgets.monthly_budget > 0 then 'the month''s budget of ' || cut.budget_owner || ' is used up'
            else cut.budget_owner || ' has no budget this month'
        end as held_because
    from cut_{{ round }} as cut
    inner join budgets on cut.budget_owner = budgets.budget_owner
),
{%- endif %}
{%- endfor %}

held as (
    select * from held_by_customer
    union all
    select * from same_person
    union all
    select * from frequency_cap
    union all
    select * from budget
),

-- of who asked to be forgotten nothing is told but that, of who objected to profiling nothing that was computed
final as (
    select
        candidates.as_of_date,
        candidates.list_code,
        candidates.customer_id,
        held.rule,
        held.held_because,
        candidates.list_row_id,
        candidates.list_kind,
        {%- for column in ['priority', 'value_at_risk'] %}
        case when refusals.customer_id is null then candidates.{{ column }} end as {{ column }},
        {%- endfor %}
        {%- for column in ['value_tier', 'lifecycle_stage', 'owner_id', 'arm'] %}
        case when held.rule <> 'erasure' then candidates.{{ column }} end as {{ column }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from held
    inner join candidates on held.list_code = candidates.list_code and held.customer_id = candidates.customer_id
    left join refusals on held.customer_id = refusals.customer_id
    union all
    -- no customer, hence a candidate for nothing: named once, for all lists
    select
        {{ as_of() }} as as_of_date,
        'all' as list_code,
        customer_id,
        'test_account' as rule,
        'test or staff account: no customer, and told of in no other table' as held_because,
        cast(null as string) as list_row_id,
        cast(null as string) as list_kind,
        cast(null as decimal(18, 2)) as priority,
        cast(null as decimal(18, 2)) as value_at_risk,
        cast(null as string) as value_tier,
        cast(null as string) as lifecycle_stage,
        cast(null as string) as owner_id,
        cast(null as string) as arm
    from test_accounts
)

select * from final
