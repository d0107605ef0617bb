{#- the goals whose plans assume an effect, in what unit, and the odds or the share it speaks of -#}
{%- set measures = {
    'save': 'share of the would-be leavers who stay because of it',
    'win_back': 'rise of the odds to return',
} -%}
{%- set lists = declared_lists() | selectattr('goal', 'in', measures) | list -%}
{%- set z = 1.959963984540054 -%}

with assignments as (
    select * from {{ ref('activity_assignments') }}
    where activity_kind = 'list'
),

activity_outcomes as (
    select * from {{ ref('activity_outcomes') }}
    where is_over
),

plan_by_reason as (
    select * from {{ ref('plan_by_reason') }}
    where assumed_effect is not null
),

followed as (
    select
        assignments.activity_code as list_code,
        plans.goal,
        plans.plan_for,
        plans.assumed_effect,
        assignments.arm,
        activity_outcomes.bought
    from assignments
    inner join activity_outcomes
        on
            assignments.customer_id = activity_outcomes.customer_id
            and assignments.assigned_on = activity_outcomes.assigned_on
    inner join plan_by_reason as plans
        on
            case assignments.activity_code
                {%- for list in lists %}
                when '{{ list.code }}' then '{{ list.goal }}'
                {%- else %}
                when '' then ''
                {%- endfor %}
            end = plans.goal
            and coalesce(assignments.reason_code, 'unknown') = plans.plan_for
),

arms as (
    select
        list_code,
        goal,
        coalesce(plan_for, 'all') as plan_for,
        {{ exact_avg('assumed_effect') }} as assumed_effect
        {%- for arm in ['treatment', 'control'] %},
        count(*) filter (where arm = '{{ arm }}') as {{ arm }}_n,
        coalesce(sum(bought) filter (where arm = '{{ arm }}'), 0) as {{ arm }}_bought
        {%- endfor %}
    from followed
    group by grouping sets ((list_code, goal, plan_for), (list_code, goal))
),

-- half a customer more in each cell keeps the odds finite (Gart 1966)
measured as (
    select
        *,
        case goal
            when 'save' then ln(
                (treatment_n - treatment_bought + 0.5) / (treatment_n + 0.5)
                / ((control_n - control_bought + 0.5) / (control_n + 0.5))
            )
            else ln(
                (treatment_bought + 0.5) * (control_n - control_bought + 0.5)
                / ((treatment_n - treatment_bought + 0.5) * (control_bought + 0.5))
            )
        end as log_ratio,
        {{ z }} * sqrt(case goal
            when 'save' then
                1 / (treatment_n - treatment_bought + 0.5) - 1 / (treatment_n + 0.5)
                + 1 / (control_n - control_bought + 0.5) - 1 / (control_n + 0.5)
            else
                1 / (treatment_bought + 0.5) + 1 / (treatment_n - treatment_bought + 0.5)
                + 1 / (control_bought + 0.5) + 1 / (control_n - control_bought + 0.5)
        end) as log_margin,
        case
            when control_n = 0 then 'no control group'
            when treatment_n = 0 then 'no treated customers'
            when least(treatment_n, control_n) < {{ var('effect_min_customers') }} then 'too few customers'
        end as why_not
    from arms
),

-- saved: the share of leavers fell; won back: the odds to return rose
turned as (
    select
        *,
        case goal when 'save' then 1 - exp(log_ratio) else exp(log_ratio) - 1 end as measured_effect,
        case goal when 'save' then 1 - exp(log_ratio + log_margin) else exp(log_ratio - log_margin) - 1 end as lower_95,
        case goal when 'save' then 1 - exp(log_ratio - log_margin) else exp(log_ratio + log_margin) - 1 end as upper_95
    from measured
),

final as (
    select
        {{ as_of() }} as as_of_date,
        list_code,
        plan_for,
        goal,
        case goal
            {%- for goal, unit in measures.items() %}
            when '{{ goal }}' then '{{ unit }}'
            {%- endfor %}
        end as effect_unit,
        round(assumed_effect, 4) as assumed_effect,
        cast(treatment_n as integer) as treated_customers,
        cast(control_n as integer) as control_customers,
        cast(treatment_bought as integer) as treated_bought,
        cast(control_bought as integer) as control_bought,
        case when why_not is null then round(measured_effect, 4) end as measured_effect,
        case when why_not is null then round(lower_95, 4) end as lower_95,
        case when why_not is null then round(upper_95, 4) end as upper_95,
        case
            when why_not is not null then 'not measured'
            when assumed_effect > upper_95 then 'assumed too high'
            when assumed_effect < lower_95 then 'assumed too low'
            else 'not contradicted'
        end as verdict,
        why_not
    from turned
)

select * from final
