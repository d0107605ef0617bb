with evaluations as (
    select * from {{ ref('fed_back_evaluations') }}
),

scores as (
    select * from {{ ref('fed_back_scores') }}
),

served as (
    select distinct model_version from scores
),

-- the training that judged what is served today; where nothing of it is known, the latest one
chosen as (
    select
        coalesce(
            max(evaluations.batch_on) filter (where served.model_version is not null), max(evaluations.batch_on)
        ) as batch_on
    from evaluations
    left join served on evaluations.model_version = served.model_version
),

final as (
    select
        evaluations.batch_on as as_of_date,
        evaluations.model_version,
        evaluations.role,
        evaluations.cutoff_on,
        evaluations.horizon_days,
        evaluations.metric,
        evaluations.value,
        evaluations.lower,
        evaluations.upper,
        served.model_version is not null
        -- trainings from before it was written down: whatever beat the baselines
        and coalesce(evaluations.speaks_for_version, evaluations.role in ('champion', 'challenger')) as is_served
    from evaluations
    inner join chosen on evaluations.batch_on = chosen.batch_on
    left join served on evaluations.model_version = served.model_version
)

select * from final
