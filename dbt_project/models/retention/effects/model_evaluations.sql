with evaluations as (
    select
        'churn' as model_kind,
        fed_back.*
    from {{ ref('fed_back_evaluations') }} as fed_back
    union all
    select * from {{ ref('fed_back_forecast_evaluations') }}
),

scores as (
    select * from {{ ref('fed_back_scores') }}
),

outlook as (
    select * from {{ ref('fed_back_outlook') }}
),

served as (
    select model_version from scores
    {%- for kind in ['return', 'next_order', 'profit'] %}
    union
    select {{ kind }}_model_version as model_version from outlook
    {%- endfor %}
),

-- the training that judged what is served today; where nothing of it is known, the latest one
chosen as (
    select
        evaluations.model_kind,
        coalesce(
            max(evaluations.batch_on) filter (where served.model_version is not null), max(evaluations.batch_on)
        ) as batch_on
    from evaluations
    left join served on evaluations.model_version = served.model_version
    group by evaluations.model_kind
),

final as (
    select
        evaluations.batch_on as as_of_date,
        evaluations.model_kind,
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
    inner join chosen
        on evaluations.model_kind = chosen.model_kind and evaluations.batch_on = chosen.batch_on
    left join served on evaluations.model_version = served.model_version
)

select * from final
