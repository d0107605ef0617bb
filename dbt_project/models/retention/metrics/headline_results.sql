with targets as (
    select * from {{ ref('headline_target') }}
),

effects as (
    select * from {{ ref('list_effect') }}
    where
        activity_kind in ('list', 'campaign_purpose')
        and campaign_cycle = 'all'
        and window_days = {{ var('effect_window_days') }}
),

activities as (
    select distinct
        activity_kind,
        activity_code
    from effects
    union
    -- the promise stands there with its reason even before anything has been done
    select
        'list' as activity_kind,
        'all' as activity_code
),

compared as (
    select
        targets.target_code,
        targets.phrase,
        activities.activity_kind,
        activities.activity_code,
        targets.outcome,
        targets.wanted_change,
        effects.treated_customers,
        effects.control_customers,
        effects.treated_mean,
        effects.control_mean,
        effects.difference,
        effects.lower_95,
        effects.upper_95,
        case
            when effects.outcome is null then 'nothing done yet'
            when effects.comparison <> 'randomised' then coalesce(effects.why_not, 'no control group')
            when not effects.is_measurable then effects.why_not
            when effects.control_mean = 0 then 'nobody of the control did'
        end as why_not
    from targets
    cross join activities
    left join effects
        on
            activities.activity_kind = effects.activity_kind
            and activities.activity_code = effects.activity_code
            and targets.outcome = effects.outcome
),

final as (
    select
        {{ as_of() }} as as_of_date,
        target_code,
        phrase,
        activity_kind,
        activity_code,
        cast(coalesce(treated_customers, 0) as integer) as treated_customers,
        cast(coalesce(control_customers, 0) as integer) as control_customers,
        case when why_not is null then treated_mean end as treated_share,
        case when why_not is null then control_mean end as control_share,
        case when why_not is null then round(difference / control_mean, 6) end as value,
        case when why_not is null then round(lower_95 / control_mean, 6) end as lower_95,
        case when why_not is null then round(upper_95 / control_mean, 6) end as upper_95,
        cast(wanted_change as double) as target,
        case
            when why_not is not null then 'not_measurable'
            when wanted_change > 0 and lower_95 / control_mean >= wanted_change then 'reached'
            when wanted_change > 0 and upper_95 / control_mean < wanted_change then 'missed'
            when wanted_change < 0 and upper_95 / control_mean <= wanted_change then 'reached'
            when wanted_change < 0 and lower_95 / control_mean > wanted_change then 'missed'
            else 'open'
        end as verdict,
        why_not
    from compared
)

select * from final
