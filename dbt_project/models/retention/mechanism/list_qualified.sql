{%- set lists = declared_lists() -%}
with situation as (
    select * from {{ ref('customer_situation') }}
),

plan_by_reason as (
    select * from {{ ref('plan_by_reason') }}
),

tier_policy as (
    select * from {{ ref('tier_policy') }}
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
        '{{ list.about }}' as probability_of,
        {{ list.promotion }} as is_promotion,
        {{ list.needs_consent }} as needs_consent,
        {{ list.holdout }} as has_holdout,
        {{ list.cooling_days }} as cooling_days,
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
        cast(null as string) as probability_of,
        cast(null as boolean) as is_promotion,
        cast(null as boolean) as needs_consent,
        cast(null as boolean) as has_holdout,
        cast(null as integer) as cooling_days,
        *
    from situation
    where false
    {%- endfor %}
),

planned as (
    select
        qualified.*,
        plan_by_reason.plan_code,
        plan_by_reason.next_action,
        plan_by_reason.actor,
        plan_by_reason.channel as plan_channel,
        plan_by_reason.with_reward,
        plan_by_reason.assumed_effect,
        tier_policy.max_reward_step,
        revisit_cadence.due_within_days
    from qualified
    inner join plan_by_reason
        on qualified.goal = plan_by_reason.goal and qualified.reason_code = plan_by_reason.reason_code
    inner join tier_policy on qualified.value_tier = tier_policy.value_tier
    inner join revisit_cadence
        on
            qualified.cadence_code = revisit_cadence.cadence_code
            and qualified.value_tier = revisit_cadence.value_tier
),

final as (
    select
        *,
        cast({{ as_declared(lists, 'probability') }} as double) as churn_or_return_probability,
        cast({{ as_declared(lists, 'at_stake') }} as decimal(18, 2)) as value_at_risk,
        cast({{ as_declared(lists, 'gain') }} as decimal(18, 2)) as expected_gain,
        cast({{ as_declared(lists, 'redemption') }} as double) as redemption_probability
    from planned
)

-- the columns of customer_situation, whatever they are, and those above
select * from final  -- noqa: AM04
