with owner_budget as (
    select * from {{ ref('owner_budget') }}
),

situation as (
    select * from {{ ref('customer_situation') }}
),

past_tasks as (
    select * from {{ ref('past_tasks') }}
),

owners as (
    select
        coalesce(owner_id, 'unassigned') as budget_owner,
        count(*) as customers,
        greatest(coalesce(sum(gross_profit_12m), 0), 0) as profit_12m
    from situation
    group by coalesce(owner_id, 'unassigned')
),

for_everybody as (
    select * from owner_budget
    where owner_id = '*'
),

reserved as (
    select
        budget_owner,
        sum(reserved_cost) as amount
    from past_tasks
    where arm = 'treatment' and listed_on >= {{ month_start(as_of()) }}
    group by budget_owner
),

budgets as (
    select
        owners.budget_owner,
        owners.customers,
        cast(
            case
                when owner_budget.owner_id is not null then coalesce(
                    owner_budget.monthly_budget, owners.profit_12m / 12 * owner_budget.profit_share, 0
                )
                else coalesce(for_everybody.monthly_budget, owners.profit_12m / 12 * for_everybody.profit_share, 0)
            end as decimal(18, 2)
        ) as monthly_budget,
        cast(coalesce(reserved.amount, 0) as decimal(18, 2)) as reserved_before
    from owners
    cross join for_everybody
    left join owner_budget on owners.budget_owner = owner_budget.owner_id
    left join reserved on owners.budget_owner = reserved.budget_owner
),

final as (
    select
        {{ as_of() }} as as_of_date,
        budget_owner,
        {{ month_start(as_of()) }} as month,
        cast(customers as integer) as customers,
        monthly_budget,
        reserved_before,
        cast(greatest(monthly_budget - reserved_before, 0) as decimal(18, 2)) as left_before
    from budgets
)

select * from final
