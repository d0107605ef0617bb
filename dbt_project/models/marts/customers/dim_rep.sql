with recursive

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

described as (
    select
        known.rep_id,
        reps.rep_id is not null as is_recorded,
        reps.team,
        reps.manager_id,
        reps.hired_on,
        case when reps.departed_on <= {{ as_of() }} then reps.departed_on end as departed_on,
        case when reps.departed_on > {{ as_of() }} then reps.departed_on end as leaves_on,
        coalesce(reps.departed_on <= {{ as_of() }}, false) as is_departed
    from known
    left join reps on known.rep_id = reps.rep_id
),

-- Nobody who has left is given a task, so the manager takes over until the customers are handed on; has that one left,
-- too, the manager above. Managers of each other would go round for ever, hence an end.
substitutes as (
    select
        rep_id,
        rep_id as candidate_id,
        manager_id,
        team,
        is_departed,
        0 as levels_up
    from described
    union all
    select
        substitutes.rep_id,
        managers.rep_id as candidate_id,
        managers.manager_id,
        managers.team,
        managers.is_departed,
        substitutes.levels_up + 1 as levels_up
    from substitutes
    inner join described as managers on substitutes.manager_id = managers.rep_id
    where substitutes.is_departed and substitutes.levels_up < 10
),

final as (
    select
        described.*,
        acting.candidate_id as acting_rep_id,
        -- where nobody acts, the team that lost its representative does
        coalesce(acting.team, described.team) as acting_team,
        cast(coalesce(portfolios.customers, 0) as integer) as customers
    from described
    left join substitutes as acting on described.rep_id = acting.rep_id and not acting.is_departed
    left join portfolios on described.rep_id = portfolios.rep_id
)

select * from final
