{#- what the headline promises (客户续存率, 流失率), the outcome that shows it, and the metric under which kpi_target promises it -#}
{%- set measures = {'retention_rate': 'bought', 'churn_rate': 'churned'} -%}
{%- set promises = {'retention_rate': 'retention_change', 'churn_rate': 'churn_change'} -%}
{%- set keys = ['month', 'activity_kind', 'measure'] -%}

with assignments as (
    select * from {{ ref('activity_assignments') }}
    where comparison = 'randomised' and activity_kind in ('programme', 'campaign')
),

activity_outcomes as (
    select * from {{ ref('activity_outcomes') }}
    where is_over
),

kpi_target as (
    select * from {{ ref('kpi_target') }}
),

promised as (
    {%- for measure, metric in promises.items() %}
    select
        '{{ measure }}' as promised_measure,
        cast(target as double) as target,
        higher_is_better
    from kpi_target
    where metric = '{{ metric }}'
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

month_cells as (
    select
        {{ month_start('activity_outcomes.window_ends_on') }} as ended_in,
        assignments.activity_kind,
        assignments.stratum,
        count(*) as n,
        count(*) filter (where assignments.arm = 'treatment') as treated_n
        {%- for outcome in measures.values() %}{% for name, value in [('y', outcome), ('x', outcome ~ '_before')] %},
        sum(activity_outcomes.{{ value }}) as {{ outcome }}_{{ name }},
        coalesce(sum(activity_outcomes.{{ value }}) filter (where assignments.arm = 'treatment'), 0) as treated_{{ outcome }}_{{ name }}
        {%- endfor %},
        sum(activity_outcomes.{{ outcome }} * activity_outcomes.{{ outcome }}_before) as {{ outcome }}_xy
        {%- endfor %}
    from assignments
    inner join activity_outcomes
        on
            assignments.customer_id = activity_outcomes.customer_id
            and assignments.assigned_on = activity_outcomes.assigned_on
    group by {{ month_start('activity_outcomes.window_ends_on') }}, assignments.activity_kind, assignments.stratum
),

months as (
    {{ month_spine('ended_in', 'month_cells') }}
),

cells as (
    {%- for measure, outcome in measures.items() %}
    select
        months.month_start_on as month,
        kinds.activity_kind,
        '{{ measure }}' as measure,
        true as is_share,
        month_cells.activity_kind || '|' || month_cells.stratum as stratum,
        sum(month_cells.n) as n,
        sum(month_cells.{{ outcome }}_y) as y,
        sum(month_cells.{{ outcome }}_x) as x,
        sum(month_cells.{{ outcome }}_y) as yy,
        sum(month_cells.{{ outcome }}_x) as xx,
        sum(month_cells.{{ outcome }}_xy) as xy,
        sum(month_cells.treated_n) as treated_n,
        sum(month_cells.treated_{{ outcome }}_y) as treated_y,
        sum(month_cells.treated_{{ outcome }}_x) as treated_x
    from months
    inner join month_cells
        on
            months.month_start_on >= month_cells.ended_in
            and {{ months_after('month_cells.ended_in', var('comparison_months')) }} > months.month_start_on
    inner join (values ('programme', 'programme'), ('campaign', 'campaign'), ('all', 'programme'), ('all', 'campaign'))
        as kinds (activity_kind, base_kind) on month_cells.activity_kind = kinds.base_kind
    -- a month tells when it is over
    where {{ months_after('months.month_start_on', 1) }} <= {{ days_after(as_of(), 1) }}
    group by months.month_start_on, kinds.activity_kind, month_cells.activity_kind, month_cells.stratum
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

judged as (
    {{ stratified_differences('cells', keys) }}
),

reasoned as (
    select
        *,
        case
            when treated_n = 0 then 'no treated customers'
            when control_n = 0 then 'no control group'
            when smaller_n < {{ var('effect_min_customers') }} then 'too few customers'
            when not has_variation then 'no variation'
        end as why_not,
        -- of the logarithm of the ratio of two shares (Katz et al. 1978); who has no counterpart makes it no surer
        1.959963984540054 * sqrt(
            (1 - treated_mean) / nullif(compared_treated_total, 0) + (1 - control_mean) / nullif(compared_control_total, 0)
        ) as ratio_margin,
        treated_mean / nullif(control_mean, 0) as ratio
    from judged
),

stated as (
    select
        reasoned.*,
        promised.target,
        promised.higher_is_better,
        ratio - 1 as relative_change,
        ratio * exp(-ratio_margin) - 1 as relative_lower_95,
        ratio * exp(ratio_margin) - 1 as relative_upper_95
    from reasoned
    left join promised on reasoned.measure = promised.promised_measure
),

final as (
    select
        {{ as_of() }} as as_of_date,
        month,
        activity_kind,
        measure,
        cast({{ var('comparison_months') }} as integer) as months_together,
        cast({{ var('effect_window_days') }} as integer) as window_days,
        cast(treated_n as integer) as treated_customers,
        cast(control_n as integer) as control_customers,
        cast(treated_total as integer) as treated_total,
        cast(control_total as integer) as control_total,
        round(treated_mean, 6) as treated_share,
        round(control_mean, 6) as control_share,
        {%- for figure in ['difference', 'lower_95', 'upper_95', 'adjusted_difference', 'adjusted_lower_95', 'adjusted_upper_95'] %}
        case when why_not is null then round({{ figure }}, 6) end as {{ figure }},
        {%- endfor %}
        {%- for figure in ['relative_change', 'relative_lower_95', 'relative_upper_95'] %}
        case when why_not is null then round({{ figure }}, 6) end as {{ figure }},
        {%- endfor %}
        target,
        case
            -- nobody of the control did: a ratio to nothing
            when why_not is not null or relative_lower_95 is null or relative_upper_95 is null then 'not_measurable'
            when target is null then 'no_target'
            when higher_is_better and relative_lower_95 >= target then 'reached'
            when higher_is_better and relative_upper_95 < target then 'missed'
            when not higher_is_better and relative_upper_95 <= target then 'reached'
            when not higher_is_better and relative_lower_95 > target then 'missed'
            else 'open'
        end as verdict,
        why_not is null as is_measurable,
        why_not
    from stated
)

select * from final
