with

monitoring as (
    select * from {{ ref('fed_back_monitoring') }}
),

-- a run that was repeated, or a later one that judged the same scores again, counts last
latest as (
    select * from monitoring
    qualify row_number() over (partition by scored_on, kind, metric order by batch_on desc) = 1
),

expected as (
    select * from latest
    where kind = 'expected'
),

realised as (
    select * from latest
    where kind = 'realised'
),

final as (
    select
        coalesce(expected.scored_on, realised.scored_on) as scored_on,
        coalesce(expected.metric, realised.metric) as metric,
        coalesce(expected.model_version, realised.model_version) as model_version,
        coalesce(expected.customers, realised.customers) as customers,
        {{ days_after('coalesce(expected.scored_on, realised.scored_on)', 'coalesce(expected.horizon_days, realised.horizon_days)') }}
            as horizon_ends_on,
        expected.value as expected_value,
        expected.lower as expected_lower,
        expected.upper as expected_upper,
        realised.value as realised_value,
        realised.lower as realised_lower,
        realised.upper as realised_upper,
        realised.batch_on as judged_on
    from expected
    full outer join realised on expected.scored_on = realised.scored_on and expected.metric = realised.metric
)

select * from final
