{# One mechanism for all lists. A list is a file in retention/lists/ that calls `retention_list` and says who
   qualifies; everything else (ranking, arms, caps, budgets, suppression) happens to all lists alike. The
   declarations are read from dbt's graph, so a new list is a new file and nothing else. #}

{# Declares a list. The body is a condition over the columns of `customer_situation`.

   title        what the list is, for people
   goal         which plans apply (plan_by_reason.goal)
   probability  column: the probability that the list is about
   about        what that probability is of: churn or return
   at_stake     expression: the money at stake (home currency)
   gain         expression: expected profit of acting, before costs (home currency); may use assumed_effect
   redemption   expression: probability that the customer orders once acted upon, hence earns the reward
   cadence      which due dates apply (revisit_cadence.cadence_code)
   promotion    whether it sells: such a list waits while a complaint is open
   needs_consent  whether a contact needs consent to marketing; a service contact does not
   holdout      whether a control share is held out
   cooling_days days after a task of this list before the next one #}
{%- macro retention_list(
    title, goal, probability, about, at_stake, gain, redemption, cadence,
    promotion=true, needs_consent=true, holdout=true, cooling_days=none
) -%}
    {%- set qualifies = caller() | trim -%}
    {{- config(
        materialized='view',
        contract={'enforced': false},
        meta={'retention_list': {
            'title': title, 'goal': goal, 'probability': probability, 'about': about, 'at_stake': at_stake,
            'gain': gain, 'redemption': redemption, 'cadence': cadence, 'promotion': promotion, 'needs_consent': needs_consent,
            'holdout': holdout, 'cooling_days': var('cooling_days') if cooling_days is none else cooling_days,
            'qualifies': qualifies,
        }}
    ) -}}
select *
from {{ ref('customer_situation') }}
where
    {{ qualifies }}
{%- endmacro -%}

{# The declared lists, by code: the file name without `list_`. #}
{%- macro declared_lists() -%}
    {%- set lists = [] -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values() | sort(attribute='name') -%}
            {%- if node.resource_type == 'model' and 'retention_list' in node.config.get('meta', {}) -%}
                {%- set declaration = dict(node.config.meta.retention_list) -%}
                {%- do declaration.update({'code': node.name | replace('list_', '', 1)}) -%}
                {%- do lists.append(declaration) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(lists) }}
{%- endmacro -%}

{# The expression that each list declares under a name, as one. #}
{%- macro as_declared(lists, name) -%}
    {%- for list in lists %}
    {{- 'case list_code' if loop.first }}
        when '{{ list.code }}' then {{ list[name] }}
    {{- '\n    end' if loop.last }}
    {%- else -%}
    null
    {%- endfor %}
{%- endmacro -%}

{# The quarter in which a task began: the campaign within which an arm stays the same. #}
{%- macro campaign_cycle(day) -%}
    cast(extract(year from {{ day }}) as string) || 'Q' || cast(extract(quarter from {{ day }}) as string)
{%- endmacro -%}
