{%- set outcomes = effect_outcomes() -%}
{%- set scope = ['activity_kind', 'activity_code', 'campaign_cycle'] -%}
{%- set matched_kinds = ['revisit', 'training', 'community'] -%}
{%- set windows = outcomes | map(attribute='window') | unique | list -%}
{%- set figures = ['n', 'y', 'x', 'yy', 'xx', 'xy'] -%}

with assignments as (
    select * from {{ ref('activity_assignments') }}
),

activity_outcomes as (
    select * from {{ ref('activity_outcomes') }}
),

campaigns as (
    select * from {{ ref('stg_campaigns') }}
),

assigned as (
    select
        assignments.activity_kind,
        assignments.activity_code,
        assignments.campaign_cycle,
        assignments.arm,
        assignments.comparison,
        coalesce(assignments.stratum, activity_outcomes.stratum) as stratum,
        coalesce(assignments.stratum, activity_outcomes.stratum_before) as stratum_before,
        coalesce(assignments.is_reached and assignments.arm = 'treatment', false) as is_reached,
        assignments.cost,
        {{ all_columns_except('activity_outcomes', ['customer_id', 'assigned_on', 'stratum', 'stratum_before']) }},
        {{ days_between('assignments.assigned_on', as_of()) }} as days_since,
        activity_outcomes.profit - assignments.cost as net_profit,
        case when assignments.cost is not null then activity_outcomes.profit_before end as net_profit_before,
        assignments.assigned_on
    from assignments
    inner join activity_outcomes
        on
            assignments.customer_id = activity_outcomes.customer_id
            and assignments.assigned_on = activity_outcomes.assigned_on
),

compared as (
    {%- for kind in matched_kinds %}
    select
        '{{ kind }}' as activity_kind,
        {{ all_columns_except('activity_outcomes', ['customer_id']) }},
        -- what a revisit costs is known, and a comparison is not visited
        {{ 'profit' if kind == 'revisit' else 'cast(null as decimal(18, 2))' }} as net_profit,
        {{ 'profit_before' if kind == 'revisit' else 'cast(null as decimal(18, 2))' }} as net_profit_before
    from activity_outcomes
    where free_of_{{ kind }} and stratum is not null
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- sums per draw or per set of equal facts: the customers are read once, everything else is made of these
treated_cells as (
    {{ sums_of_outcomes('assigned', ['activity_kind', 'activity_code', 'campaign_cycle', 'arm']) }}
),

control_cells as (
    {{ sums_of_outcomes('compared', ['activity_kind']) }}
),

activities as (
    select distinct
        activity_kind,
        activity_code,
        comparison = 'matched' as is_matched
    from assignments
),

-- what is judged: every activity, all of a kind together (what was drawn by lot never with what was not), campaigns by what
-- they are
scopes as (
    select
        activity_kind as base_kind,
        activity_code as base_code,
        activity_kind,
        activity_code
    from activities
    union
    select
        activity_kind as base_kind,
        activity_code as base_code,
        activity_kind,
        'all' as activity_code
    from activities
    where is_matched or activity_kind not in ('{{ matched_kinds | join("', '") }}')
    {%- for dimension in ['purpose', 'tactic', 'channel'] %}
    union all
    select
        activities.activity_kind as base_kind,
        activities.activity_code as base_code,
        'campaign_{{ dimension }}' as activity_kind,
        campaigns.{{ dimension }} as activity_code
    from activities
    inner join campaigns on activities.activity_code = campaigns.campaign_id
    where activities.activity_kind = 'campaign' and campaigns.{{ dimension }} is not null
    {%- endfor %}
),

-- a campaign is drawn at once, and matched figures of one quarter would be too few: only what is drawn every day has cycles
cycles as (
    select distinct
        activity_kind as base_kind,
        campaign_cycle as base_cycle,
        'all' as campaign_cycle
    from treated_cells
    union all
    select distinct
        activity_kind as base_kind,
        campaign_cycle as base_cycle,
        campaign_cycle
    from treated_cells
    where activity_kind in ('list', 'reward', 'programme')
),

scoped as (
    select
        scopes.activity_kind,
        scopes.activity_code,
        cycles.campaign_cycle,
        treated_cells.activity_kind as base_kind,
        treated_cells.role,
        treated_cells.stratum,
        treated_cells.arm
        {%- for outcome in outcomes %}{% for figure in figures %},
        sum(treated_cells.{{ outcome.column }}_{{ figure }}) as {{ outcome.column }}_{{ figure }}
        {%- endfor %}{% endfor %}
    from treated_cells
    inner join scopes
        on
            treated_cells.activity_kind = scopes.base_kind
            and treated_cells.activity_code = scopes.base_code
    inner join cycles on scopes.base_kind = cycles.base_kind and treated_cells.campaign_cycle = cycles.base_cycle
    group by all
),

arms as (
    select * from scoped
    union all
    select
        scoped.activity_kind,
        scoped.activity_code,
        scoped.campaign_cycle,
        scoped.base_kind,
        scoped.role,
        scoped.stratum,
        'control' as arm
        {%- for outcome in outcomes %}{% for figure in figures %},
        control_cells.{{ outcome.column }}_{{ figure }}
        {%- endfor %}{% endfor %}
    from scoped
    inner join control_cells
        on
            scoped.base_kind = control_cells.activity_kind
            and scoped.role = control_cells.role
            and scoped.stratum = control_cells.stratum
    where scoped.arm = 'treatment'
),

cells as (
    {%- for outcome in outcomes %}
    select
        {{ scope | join(', ') }},
        '{{ outcome.code }}' as outcome,
        {{ outcome.window }} as window_days,
        role,
        {{ outcome.is_share }} as is_share,
        stratum
        {%- for figure in figures %},
        sum({{ outcome.column }}_{{ figure }}) as {{ figure }}
        {%- endfor %}
        {%- for figure in ['n', 'y', 'x'] %},
        coalesce(sum({{ outcome.column }}_{{ figure }}) filter (where arm = 'treatment'), 0) as treated_{{ figure }}
        {%- endfor %}
    from arms
    group by all
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

judged as (
    {{ stratified_differences('cells', scope + ['outcome', 'window_days', 'role']) }}
),

counted as (
    select
        activity_kind as base_kind,
        activity_code as base_code,
        campaign_cycle as base_cycle,
        bool_or(arm = 'control') as has_control,
        bool_or(comparison = 'matched') as is_matched
        {%- for window in windows %},
        count(*) filter (where days_since < {{ window }}) as waiting_{{ window }},
        count(*) filter (where days_since >= {{ window }} and arm = 'treatment') as treated_{{ window }},
        count(*) filter (where days_since >= {{ window }} and arm = 'control') as control_{{ window }},
        count(*) filter (where days_since >= {{ window }} and is_reached) as reached_{{ window }},
        sum(cost) filter (where days_since >= {{ window }} and arm = 'treatment') as cost_{{ window }}
        {%- endfor %}
    from assigned
    group by activity_kind, activity_code, campaign_cycle
),

activity_totals as (
    select
        scopes.activity_kind,
        scopes.activity_code,
        cycles.campaign_cycle,
        scopes.base_kind,
        bool_or(counted.has_control) as has_control,
        bool_or(counted.is_matched) as is_matched
        {%- for window in windows %}{% for figure in ['waiting', 'treated', 'control', 'reached', 'cost'] %},
        sum(counted.{{ figure }}_{{ window }}) as {{ figure }}_{{ window }}
        {%- endfor %}{% endfor %}
    from counted
    inner join scopes
        on
            counted.base_kind = scopes.base_kind
            and counted.base_code = scopes.base_code
    inner join cycles on counted.base_kind = cycles.base_kind and counted.base_cycle = cycles.base_cycle
    group by scopes.activity_kind, scopes.activity_code, cycles.campaign_cycle, scopes.base_kind
),

-- every outcome of every activity, whether or not there is anything to be said
asked as (
    {%- for outcome in outcomes %}
    select
        {{ scope | join(', ') }},
        '{{ outcome.code }}' as outcome,
        {{ outcome.window }} as window_days,
        case
            when is_matched then 'matched'
            when has_control then 'randomised'
            else 'none'
        end as comparison,
        {%- for figure in ['waiting', 'treated', 'control', 'reached', 'cost'] %}
        {{ figure }}_{{ outcome.window }} as {{ figure }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from activity_totals
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

answered as (
    select
        asked.*,
        {{ all_columns_except('effects', scope + ['outcome', 'window_days', 'role']) }},
        placebos.difference as before_difference,
        placebos.spread as before_spread,
        case when placebos.has_variation and placebos.smaller_n >= {{ var('effect_min_customers') }} then placebos.lower_95 end
            as before_lower_95,
        case when placebos.has_variation and placebos.smaller_n >= {{ var('effect_min_customers') }} then placebos.upper_95 end
            as before_upper_95
    from asked
    {%- for role in ['effect', 'placebo'] %}
    left join judged as {{ role }}s
        on
            {{ role }}s.role = '{{ role }}'
            {%- for key in scope + ['outcome', 'window_days'] %}
            and asked.{{ key }} = {{ role }}s.{{ key }}
            {%- endfor %}
    {%- endfor %}
),

-- before they were treated the treated must have bought as their comparisons did, and it must be sure that they did not differ
-- by much, or the comparison is none
checked as (
    select
        *,
        bool_or(is_telling and (before_lower_95 > 0 or before_upper_95 < 0)) over of_activity
        or bool_or(is_telling and activity_code = 'all' and (before_lower_95 > 0 or before_upper_95 < 0)) over of_kind
            as has_failed,
        bool_and(
            not is_telling
            or coalesce(
                greatest(-before_lower_95, before_upper_95) <= {{ var('placebo_margin') }} * before_spread, false
            )
        ) over of_activity as is_checked
    from (
        select
            *,
            outcome in ('bought', 'orders', 'profit') and window_days = {{ var('effect_window_days') }} as is_telling
        from answered
    ) as told
    window
        of_activity as (partition by {{ scope | join(', ') }}),
        of_kind as (partition by activity_kind, campaign_cycle)
),

reasoned as (
    select
        *,
        case
            when treated + control = 0 then 'window not over'
            when comparison != 'matched' and control = 0 and waiting > 0 then 'window not over'
            when comparison != 'matched' and control = 0 then 'no control group'
            when treated = 0 then 'no treated customers'
            when coalesce(treated_n, 0) = 0 then 'not recorded'
            when smaller_n < {{ var('effect_min_customers') }} then 'too few customers'
            when not has_variation then 'no variation'
            when comparison = 'matched' and coalesce(has_failed, false) then 'groups differed before'
            when comparison = 'matched' and not is_checked then 'groups cannot be checked'
        end as why_not
    from checked
),

final as (
    select
        {{ as_of() }} as as_of_date,
        {{ scope | join(', ') }},
        outcome,
        cast(window_days as integer) as window_days,
        comparison,
        case when why_not is null then comparison else 'not_measurable' end as evidence,
        cast(coalesce(treated_n, treated) as integer) as treated_customers,
        cast(coalesce(control_n, control) as integer) as control_customers,
        cast(waiting as integer) as waiting_customers,
        cast(coalesce(unmatched_n, 0) as integer) as unmatched_customers,
        cast(nullif(reached, 0) as integer) as reached_customers,
        {{ ratio('nullif(reached, 0)', 'treated') }} as reached_rate,
        cast(coalesce(treated_total, 0) as decimal(18, 2)) as treated_total,
        cast(coalesce(control_total, 0) as decimal(18, 2)) as control_total,
        round(treated_mean, 6) as treated_mean,
        round(control_mean, 6) as control_mean,
        {%- for figure in ['difference', 'lower_95', 'upper_95', 'adjusted_difference', 'adjusted_lower_95', 'adjusted_upper_95'] %}
        case when why_not is null then round({{ figure }}, 6) end as {{ figure }},
        {%- endfor %}
        interval_method,
        round(before_difference, 6) as before_difference,
        round(before_lower_95, 6) as before_lower_95,
        round(before_upper_95, 6) as before_upper_95,
        round(before_spread, 6) as before_spread,
        case when why_not is null then round(difference * (treated_n - unmatched_n), 2) end as gained_total,
        cast(cost as decimal(18, 2)) as treated_cost,
        -- what is gained may be nothing, and then no cost is enough: such an end stays empty
        {%- for name, gain in [('', 'difference'), ('_lower_95', 'upper_95'), ('_upper_95', 'lower_95')] %}
        case
            when why_not is null and outcome = 'bought' and {{ gain }} > 0
                then round(cast(cost as double) / treated / {{ gain }}, 2)
        end as cost_per_gained{{ name }},
        {%- endfor %}
        why_not is null as is_measurable,
        why_not
    from reasoned
)

select * from final
