with budgets as (
    select * from {{ ref('owner_budgets') }}
),

begun_today as (
    select
        coalesce(owner_id, 'unassigned') as budget_owner,
        sum(reserved_cost) as amount
    from {{ ref('retention_list') }}
    where arm = 'treatment' and listed_on = {{ as_of() }}
    group by coalesce(owner_id, 'unassigned')
),

final as (
    select
        budgets.as_of_date,
        budgets.budget_owner,
        budgets.month,
        budgets.customers,
        budgets.monthly_budget,
        budgets.reserved_before,
        cast(coalesce(begun_today.amount, 0) as decimal(18, 2)) as reserved_today,
        cast(budgets.left_before - coalesce(begun_today.amount, 0) as decimal(18, 2)) as left_over
    from budgets
    left join begun_today on budgets.budget_owner = begun_today.budget_owner
)

select * from final
