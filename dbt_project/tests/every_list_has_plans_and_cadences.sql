{# A list whose goal has no plan for a reason, or whose cadence does not know a tier, would lose customers in silence. #}
{%- set lists = declared_lists() -%}
with wanted as (
    {%- for list in lists %}
    select '{{ list.code }}' as list_code, '{{ list.goal }}' as goal, '{{ list.cadence }}' as cadence_code
    {{ 'union all' if not loop.last }}
    {%- else %}
    select
        'no list' as list_code,
        'save' as goal,
        'save' as cadence_code
    where false
    {%- endfor %}
),

tiers as (
    select 'core' as value_tier
    union all
    select 'potential' as value_tier
    union all
    select 'general' as value_tier
)

select
    wanted.list_code,
    'plan_by_reason has no row for ' || wanted.goal || ' and ' || reasons.reason_code as missing
from wanted
cross join {{ ref('churn_reason') }} as reasons
left join {{ ref('plan_by_reason') }} as plans
    on wanted.goal = plans.goal and reasons.reason_code = plans.reason_code
where plans.plan_code is null
union all
select
    wanted.list_code,
    'revisit_cadence has no row for ' || wanted.cadence_code || ' and ' || tiers.value_tier as missing
from wanted
cross join tiers
left join {{ ref('revisit_cadence') }} as cadences
    on wanted.cadence_code = cadences.cadence_code and tiers.value_tier = cadences.value_tier
where cadences.due_within_days is null
union all
select
    wanted.list_code,
    'tier_policy has no row for ' || tiers.value_tier as missing
from wanted
cross join tiers
left join {{ ref('tier_policy') }} as policies on tiers.value_tier = policies.value_tier
where policies.max_reward_step is null
