-- A spell ends where the next one begins, is never empty, and is followed by another stage; the last one is open.
with

neighbours as (
    select
        *,
        lead(valid_from) over (partition by customer_id order by valid_from) as next_valid_from,
        lead(stage) over (partition by customer_id order by valid_from) as next_stage
    from {{ ref('lifecycle_history') }}
)

select
    customer_id,
    stage,
    valid_from,
    valid_to,
    next_stage,
    next_valid_from
from neighbours
where
    valid_to is distinct from next_valid_from
    or valid_to <= valid_from
    or valid_from > {{ as_of() }}
    or stage = next_stage
