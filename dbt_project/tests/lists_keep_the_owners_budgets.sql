-- What the day's new tasks may cost at most fits into what is left of the month's budget.
select
    budgets.budget_owner,
    budgets.left_before,
    sum(listed.reserved_cost) as reserved
from {{ ref('retention_list') }} as listed
inner join {{ ref('owner_budgets') }} as budgets
    on coalesce(listed.owner_id, 'unassigned') = budgets.budget_owner
where listed.arm = 'treatment' and listed.listed_on = {{ as_of() }}
group by budgets.budget_owner, budgets.left_before
having sum(listed.reserved_cost) > budgets.left_before
