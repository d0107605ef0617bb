-- The stage comes from the history of spells, the missed intervals from the last order: two ways, one answer.
select
    customer_id,
    lifecycle_stage,
    missed_intervals
from {{ ref('customer_lifecycle') }}
where lifecycle_stage <> case
    when missed_intervals is null then 'prospect'
    when missed_intervals = 1 then 'watch'
    when missed_intervals = 2 then 'quasi_churned'
    when missed_intervals >= 3 then 'churned'
    when lifecycle_stage in ('new', 'active', 'won_back') then lifecycle_stage
    else 'in time'
end
