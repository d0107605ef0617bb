with

reps as (
    select * from {{ ref('stg_reps') }}
),

customers as (
    select * from {{ ref('stg_customers') }}
),

portfolios as (
    select
        owner_id as rep_id,
        count(*) as customers
    from customers
    where owner_id is not null
    group by owner_id
),

-- Somebody who looks after customers is a representative, recorded or not.
known as (
    select rep_id from reps
    union
    select rep_id from portfolios
),

final as (
    select
        known.rep_id,
        reps.rep_id is not null as is_recorded,
        reps.team,
        reps.manager_id,
        reps.hired_on,
        reps.departed_on,
        reps.departed_on is not null as is_departed,
        cast(coalesce(portfolios.customers, 0) as integer) as customers
    from known
    left join reps on known.rep_id = reps.rep_id
    left join portfolios on known.rep_id = portfolios.rep_id
)

select * from final
