{# A list whose goal has no plan for what it asks, or whose cadence does not know a tier, would send out tasks that say
   nothing: asked of all that may come, and of those who came. And a plan for what none of the goal's lists asks would
   never be carried out. #}
-- depends_on: {{ ref('customer_situation') }}, {{ ref('churn_reason') }}, {{ ref('follow_up_rule') }}, {{ ref('tier_policy') }}
{% set lists = declared_lists() -%}
with wanted as (
    {{ declarations(lists, {'goal': 'string', 'cadence': 'string'}) }}
),

asked as (
    {%- for list in lists %}
    select
        '{{ list.code }}' as list_code,
        '{{ list.goal }}' as goal,
        plan_for
    from ({{ plans_asked_for(list) }}) as codes
    {{ 'union all' if not loop.last }}
    {%- else %}
    select
        cast(null as string) as list_code,
        cast(null as string) as goal,
        cast(null as string) as plan_for
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
    asked.list_code,
    'plan_by_reason has no row for ' || asked.goal || ' and ' || asked.plan_for as missing
from asked
left join {{ ref('plan_by_reason') }} as plans
    on asked.goal = plans.goal and plans.plan_for in (asked.plan_for, '*')
where plans.plan_code is null
union all
select
    'plan_by_reason' as list_code,
    'no list of the goal ' || plans.goal || ' asks for a plan for ' || plans.plan_for as missing
from {{ ref('plan_by_reason') }} as plans
anti join asked on plans.goal = asked.goal and plans.plan_for = asked.plan_for
where plans.plan_for <> '*'
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
