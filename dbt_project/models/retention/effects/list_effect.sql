with assignments as (
    select * from {{ ref('effect_assignments') }}
),

purchases as (
    select * from {{ ref('int_purchases') }}
),

-- only customers whose whole window is over count, or early buyers would
followed as (
    select
        assignments.activity_kind,
        assignments.activity_code,
        assignments.campaign_cycle,
        assignments.customer_id,
        assignments.arm,
        {{ days_after('assignments.assigned_on', var('effect_window_days')) }} <= {{ as_of() }} as is_over,
        count(purchases.order_id) as orders,
        coalesce(sum(purchases.profit_amount), 0) as profit
    from assignments
    left join purchases
        on
            assignments.customer_id = purchases.customer_id
            and assignments.assigned_on < purchases.ordered_on
            and {{ days_after('assignments.assigned_on', var('effect_window_days')) }} >= purchases.ordered_on
    group by all
),

per_cycle_and_all as (
    select * from followed
    union all
    select
        activity_kind,
        activity_code,
        'all' as campaign_cycle,
        customer_id,
        arm,
        is_over,
        orders,
        profit
    from followed
),

outcomes as (
    select
        *,
        'bought' as outcome,
        cast(least(orders, 1) as decimal(18, 2)) as value
    from per_cycle_and_all
    union all
    select
        *,
        'orders' as outcome,
        cast(orders as decimal(18, 2)) as value
    from per_cycle_and_all
    union all
    select
        *,
        'profit' as outcome,
        cast(profit as decimal(18, 2)) as value
    from per_cycle_and_all
),

arms as (
    select
        activity_kind,
        activity_code,
        campaign_cycle,
        outcome,
        count(*) filter (where not is_over) as waiting,
        {%- for arm in ['treatment', 'control'] %}
        count(*) filter (where is_over and arm = '{{ arm }}') as {{ arm }}_n,
        coalesce(sum(value) filter (where is_over and arm = '{{ arm }}'), 0) as {{ arm }}_total,
        coalesce(sum(value * value) filter (where is_over and arm = '{{ arm }}'), 0) as {{ arm }}_squares
        {{- ',' if not loop.last }}
        {%- endfor %}
    from outcomes
    group by activity_kind, activity_code, campaign_cycle, outcome
),

means as (
    select
        *,
        cast(treatment_total as double) / nullif(treatment_n, 0) as treatment_mean,
        cast(control_total as double) / nullif(control_n, 0) as control_mean,
        {{ variance_of('treatment_n', 'treatment_total', 'treatment_squares') }} / nullif(treatment_n, 0)
            as treatment_error,
        {{ variance_of('control_n', 'control_total', 'control_squares') }} / nullif(control_n, 0) as control_error
    from arms
),

judged as (
    select
        *,
        treatment_mean - control_mean as difference,
        case
            when control_n = 0 and waiting > 0 then 'window not over'
            when control_n = 0 then 'no control group'
            when treatment_n = 0 then 'no treated customers'
            when least(treatment_n, control_n) < {{ var('effect_min_customers') }} then 'too few customers'
            when treatment_error + control_error = 0 then 'no variation'
        end as why_not,
        {{ student_t_975(welch_degrees('treatment_error', 'treatment_n', 'control_error', 'control_n')) }}
        * sqrt(treatment_error + control_error) as welch_margin
    from means
),

bounded as (
    select
        *,
        case
            when why_not is not null then null
            when outcome = 'bought' then difference - sqrt(
                power(treatment_mean - {{ wilson_end('treatment_mean', 'treatment_n', '-') }}, 2)
                + power({{ wilson_end('control_mean', 'control_n', '+') }} - control_mean, 2)
            )
            else difference - welch_margin
        end as lower_95,
        case
            when why_not is not null then null
            when outcome = 'bought' then difference + sqrt(
                power({{ wilson_end('treatment_mean', 'treatment_n', '+') }} - treatment_mean, 2)
                + power(control_mean - {{ wilson_end('control_mean', 'control_n', '-') }}, 2)
            )
            else difference + welch_margin
        end as upper_95
    from judged
),

final as (
    select
        {{ as_of() }} as as_of_date,
        activity_kind,
        activity_code,
        campaign_cycle,
        outcome,
        cast({{ var('effect_window_days') }} as integer) as window_days,
        cast(treatment_n as integer) as treated_customers,
        cast(control_n as integer) as control_customers,
        cast(waiting as integer) as waiting_customers,
        cast(treatment_total as decimal(18, 2)) as treated_total,
        cast(control_total as decimal(18, 2)) as control_total,
        round(treatment_mean, 6) as treated_mean,
        round(control_mean, 6) as control_mean,
        case when why_not is null then round(difference, 6) end as difference,
        round(lower_95, 6) as lower_95,
        round(upper_95, 6) as upper_95,
        case outcome when 'bought' then 'newcombe' else 'welch' end as interval_method,
        case when why_not is null then round(difference * treatment_n, 2) end as gained_total,
        why_not is null as is_measurable,
        why_not
    from bounded
)

select * from final
