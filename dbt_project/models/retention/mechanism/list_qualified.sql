{%- set lists = declared_lists() -%}
with situation as (
    select * from {{ ref('customer_situation') }}
),

plan_by_reason as (
    select * from {{ ref('plan_by_reason') }}
),

rescue_step as (
    select * from {{ ref('rescue_step') }}
),

tier_policy as (
    select * from {{ ref('tier_policy') }}
),

treatment_effects as (
    select * from {{ ref('fed_back_treatment_effects') }}
),

revisit_cadence as (
    select * from {{ ref('revisit_cadence') }}
),

qualified as (
    {%- for list in lists %}
    select
        '{{ list.code }}' as list_code,
        '{{ list.goal }}' as goal,
        '{{ list.cadence }}' as cadence_code,
        cast({{ list.plan_for }} as string) as wanted_plan,
        {{ list.is_stepped }} as is_stepped,
        *
    from situation
    where
        {{ list.qualifies }}
    {{ 'union all' if not loop.last }}
    {%- else %}
    -- no list is declared: nobody qualifies
    select
        cast(null as string) as list_code,
        cast(null as string) as goal,
        cast(null as string) as cadence_code,
        cast(null as string) as wanted_plan,
        cast(null as boolean) as is_stepped,
        *
    from situation
    where false
    {%- endfor %}
),

-- a plan of its own goes before the one for all others; who may not be profiled has no tier, and waits no longer than everybody
planned as (
    select
        qualified.*,
        {%- for column in ['plan_code', 'talking_points', 'tactic', 'asks_reason', 'with_reward', 'assumed_effect'] %}
        case when own_plans.goal is not null then own_plans.{{ column }} else any_plans.{{ column }} end as {{ column }},
        {%- endfor %}
        case when own_plans.goal is not null then own_plans.next_action else any_plans.next_action end as planned_action,
        rescue_step.next_action as step_action,
        coalesce(rescue_step.actor, own_plans.actor, any_plans.actor) as actor,
        coalesce(rescue_step.stand_in, own_plans.stand_in, any_plans.stand_in) as stand_in,
        coalesce(rescue_step.channel, own_plans.channel, any_plans.channel) as plan_channel,
        case
            when rescue_step.channel is not null then rescue_step.channel
            when own_plans.goal is not null then case when own_plans.only_this_channel then own_plans.channel end
            when any_plans.only_this_channel then any_plans.channel
        end as prescribed_channel,
        qualified.is_stepped and rescue_step.winback_step is null as is_stepped_out,
        tier_policy.max_reward_step,
        revisit_cadence.due_within_days
    from qualified
    left join plan_by_reason as own_plans
        on qualified.goal = own_plans.goal and qualified.wanted_plan = own_plans.plan_for
    left join plan_by_reason as any_plans on qualified.goal = any_plans.goal and any_plans.plan_for = '*'
    left join rescue_step on qualified.is_stepped and qualified.winback_step = rescue_step.winback_step
    left join tier_policy on coalesce(qualified.value_tier, 'general') = tier_policy.value_tier
    left join revisit_cadence
        on
            qualified.cadence_code = revisit_cadence.cadence_code
            and coalesce(qualified.value_tier, 'general') = revisit_cadence.value_tier
),

spoken as (
    select
        *,
        {{ filled_in('talking_points', talking_columns(), into='talked_points') }}
    from planned
),

-- past campaigns of the plan's tactic correct what the plan is assumed to do, where they could tell
measured as (
    select
        spoken.*,
        coalesce(treatment_effects.effect_basis, 'assumed') as effect_basis,
        treatment_effects.effect as measured_rise,
        spoken.assumed_effect * coalesce(treatment_effects.factor, 1) as effect
    from spoken
    left join treatment_effects
        on spoken.customer_id = treatment_effects.customer_id and spoken.tactic = treatment_effects.tactic
),

declared as (
    select
        *,
        cast({{ as_declared(lists, 'worth') }} as double) as worth,
        cast({{ as_declared(lists, 'anyway') }} as double) as probability_anyway,
        cast({{ as_declared(lists, 'acted') }} as double) as declared_if_acted
    from measured
),

acted_upon as (
    select
        *,
        case
            -- the rise as it was measured: a factor on the assumption fits only the probability it was measured with
            when measured_rise is not null then greatest(least(probability_anyway + measured_rise, 1), 0)
            else declared_if_acted
        end as probability_if_acted
    from declared
),

final as (
    select
        list_code,
        customer_id,
        preferred_channel,
        plan_code,
        coalesce(
            {{ as_declared(lists, 'action') }}, step_action || ': ' || planned_action, planned_action
        ) as next_action,
        talked_points as talking_points,
        case when actor = 'owner' and owner_id is null then stand_in else actor end as actor,
        plan_channel,
        prescribed_channel,
        asks_reason,
        with_reward,
        tactic,
        assumed_effect,
        case when worth is not null then effect_basis end as effect_basis,
        case when worth is not null then probability_if_acted - probability_anyway end as probability_rise,
        max_reward_step,
        due_within_days,
        case when is_stepped then winback_step end as winback_step,
        is_stepped_out,
        cast({{ as_declared(lists, 'at_stake') }} as decimal(18, 2)) as value_at_risk,
        cast((probability_if_acted - probability_anyway) * worth as decimal(18, 2)) as expected_gain,
        coalesce(probability_if_acted, 0) as redemption_probability,
        cast({{ as_declared(lists, 'rank') }} as decimal(18, 2)) as declared_rank,
        cast({{ as_declared(lists, 'topic') }} as string) as topic,
        cast({{ as_declared(lists, 'occasion') }} as string) as occasion,
        cast({{ as_declared(lists, 'occasion_on') }} as date) as occasion_on,
        cast({{ as_declared(lists, 'due_on') }} as date) as declared_due_on
    from acted_upon
)

select * from final
