{# A list whose goal has no plan for a reason, or whose cadence does not know a tier, would send out tasks that say
   nothing: asked of all that may come, and of those who came. #}
{%- set lists = declared_lists() -%}
with wanted as (
    {{ declarations(lists, {'goal': 'string', 'cadence': 'string', 'plan_for': 'string'}) }}
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
    on wanted.goal = plans.goal and plans.plan_for in (reasons.reason_code, '*')
where wanted.plan_for = 'reason_code' and plans.plan_code is null
union all
select
    wanted.list_code,
    'revisit_cadence has no row for ' || wanted.cadence || ' and ' || tiers.value_tier as missing
from wanted
cross join tiers
left join {{ ref('revisit_cadence') }} as cadences
    on wanted.cadence = cadences.cadence_code and tiers.value_tier = cadences.value_tier
where cadences.due_within_days is null
union all
select
    wanted.list_code,
    'tier_policy has no row for ' || tiers.value_tier as missing
from wanted
cross join tiers
left join {{ ref('tier_policy') }} as policies on tiers.value_tier = policies.value_tier
where policies.max_reward_step is null
union all
select
    list_code,
    'no plan or no due date for somebody on it' as missing
from {{ ref('list_qualified') }}
where plan_code is null or due_within_days is null
