{# One mechanism for all lists. A list is a file in retention/lists/ that calls `retention_list` and says who
   qualifies; everything else (ranking, arms, caps, budgets, suppression) happens to all lists alike. The
   declarations are read from dbt's graph, so a new list is a new file and nothing else. #}

{# What a kind of list brings along; a declaration may say otherwise.
   promotion  sells: it must pay, and it asks for consent
   care       greets, asks, looks after: nothing is sold, but nobody asked for it either
   duty       is owed to the customer: no cap, no budget and no holdout may keep it back #}
{%- macro list_kinds() -%}
    {{- return({
        'promotion': {'needs_consent': true, 'has_holdout': true, 'is_optional': true, 'precedence': 50},
        'care': {'needs_consent': true, 'has_holdout': true, 'is_optional': true, 'precedence': 70},
        'duty': {'needs_consent': false, 'has_holdout': false, 'is_optional': false, 'precedence': 10},
    }) -}}
{%- endmacro -%}

{# Declares a list. The body is a condition over the columns of `customer_situation`; expressions are over the same.

   title        what the list is, for people
   who          who qualifies, in words
   kind         promotion, care or duty: see list_kinds
   needs        what of the source nobody can qualify without: of each need, a list of columns (table.column), one
                must be delivered
   goal         which plans apply (plan_by_reason.goal)
   cadence      which due dates apply (revisit_cadence.cadence_code)
   plan_for     expression: for what a plan is looked up (plan_by_reason.plan_for): a column with a data test that says
                which codes it may hold, or a case that names them (plans_asked_for)
   action       expression: what to do next, where the customer's case says it rather than the plan
   topic        expression: what to talk about; where none is given, the reason
   occasion     expression: what the task is about; a new occasion is a new task, the same one never is
   occasion_on  expression: day of the occasion
   occasion_is_private   whether that day says something about a person (a birthday): it stays on the restricted side
   due_on       expression: day by which to act, where that is not a matter of cadence
   only_channels the channels that serve the purpose, where not every one does
   stepped      whether plans go on in the steps of the seed rescue_step
   A list is ranked by the expected profit of acting, if it declares these:
     worth        expression: profit that an order won by acting brings along (home currency)
     anyway       expression: probability that the customer orders without it
     acted        expression: the same once acted upon, hence of earning the reward; `effect` is the plan's effect
     at_stake     expression: the money at stake (home currency)
   else by these:
     rank         expression: a number, the highest first
     ranked_by    the same in words
   needs_consent, holdout, precedence   instead of what the kind brings along; of lists that would ask more of one
                customer than the cap allows, the one with the lowest precedence comes first
   cooling_days days after a task of this list before the next one #}
{%- macro retention_list(
    title, who, goal, cadence, kind='promotion', needs=[],
    plan_for='reason_code', action='null', topic='null', occasion='null', occasion_on='null', occasion_is_private=false,
    due_on='null', only_channels=[], stepped=false,
    worth=none, anyway='null', acted='null', at_stake='null', rank=none, ranked_by=none,
    needs_consent=none, holdout=none, precedence=none, cooling_days=none
) -%}
    {%- set qualifies = caller() | trim -%}
    {%- set brought_along = list_kinds().get(kind) -%}
    {%- if not brought_along -%}
        {{ exceptions.raise_compiler_error(
            "The kind of a list is " ~ list_kinds().keys() | join(", ") ~ "; " ~ model.name ~ " says " ~ kind
        ) }}
    {%- endif -%}
    {%- if (rank is none) == (worth is none) or (rank is none) != (ranked_by is none) -%}
        {{ exceptions.raise_compiler_error(
            model.name ~ " must say what it is ranked by: either worth, or rank and ranked_by"
        ) }}
    {%- endif -%}
    {{- config(
        materialized='ephemeral',
        contract={'enforced': false},
        meta={'title': title, 'grain': 'One row per customer who qualifies', 'retention_list': {
            'title': title, 'who': who, 'needs': needs, 'kind': kind, 'goal': goal, 'cadence': cadence,
            'plan_for': plan_for, 'action': action, 'topic': topic, 'occasion': occasion, 'occasion_on': occasion_on,
            'occasion_is_private': occasion_is_private, 'due_on': due_on, 'only_channels': only_channels | join(', '),
            'is_stepped': stepped,
            'is_about_profit': worth is not none, 'worth': worth or 'null', 'anyway': anyway, 'acted': acted,
            'at_stake': at_stake, 'rank': rank or 'null',
            'ranked_by': ranked_by or 'expected profit of acting (home currency)',
            'is_optional': brought_along.is_optional,
            'needs_consent': brought_along.needs_consent if needs_consent is none else needs_consent,
            'has_holdout': brought_along.has_holdout if holdout is none else holdout,
            'precedence': brought_along.precedence if precedence is none else precedence,
            'cooling_days': cooling_days if cooling_days is not none
                else var('cooling_days') if brought_along.is_optional else var('duty_cooling_days'),
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

{# The codes for which a list may look up a plan, one a row in the column plan_for: those that its case names, or those
   that the data test of its column of customer_situation accepts (accepted_values or relationships). #}
{%- macro plans_asked_for(list) -%}
    {%- set codes = modules.re.findall("(?:then|else) '(\\w+)'", list.plan_for) -%}
    {%- set tests = graph.nodes.values()
        | selectattr('resource_type', 'equalto', 'test')
        | selectattr('attached_node', 'equalto', 'model.' ~ project_name ~ '.customer_situation')
        | selectattr('column_name', 'equalto', list.plan_for)
        | map(attribute='test_metadata') | list if execute else [] -%}
    {%- for test in tests -%}
        {%- do codes.extend(test.kwargs.get('values', [])) -%}
    {%- endfor -%}
    {%- set seeds = tests | selectattr('name', 'equalto', 'relationships') | map(attribute='kwargs') | list -%}
    {%- if execute and not codes and not seeds -%}
        {{ exceptions.raise_compiler_error(
            'list_' ~ list.code ~ ': no data test says which codes ' ~ list.plan_for ~ ' may hold'
        ) }}
    {%- endif -%}
    {%- for code in codes %}
    select '{{ code }}' as plan_for
    {{ 'union all' if not loop.last or seeds }}
    {%- endfor %}
    {%- for seed in seeds %}
    select {{ seed.field }} as plan_for
    from {{ ref(modules.re.findall("'(\\w+)'", seed.to)[0]) }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro -%}

{# The expression that each list declares under a name, as one. #}
{%- macro as_declared(lists, name) -%}
    {%- set spoken = lists | rejectattr(name, 'equalto', 'null') | list -%}
    {%- for list in spoken %}
    {{- 'case list_code' if loop.first }}
        when '{{ list.code }}' then {{ list[name] }}
    {{- '\n    end' if loop.last }}
    {%- else -%}
    null
    {%- endfor %}
{%- endmacro -%}

{# A text with {names of columns} in it, filled in, as the column `into`; NULL where one of those columns is. It takes
   one column a name, each reading the one before: nested in one another they would be too deep to read.
   A customer's own words may hold a name in braces, which must stay as it is written: until the last name is filled in,
   every `{` of what was filled in stands there as `{}`, with which no name begins. #}
{%- macro filled_in(template, columns, into) -%}
    {%- for column in columns %}
        {%- set placeholder = "'{" ~ column ~ "}'" %}
        replace(
            {{ template if loop.first else into ~ '_' ~ loop.index0 }},
            {{ placeholder }},
            case
                when position({{ placeholder }} in {{ template }}) > 0
                    then replace(cast({{ column }} as string), '{', '{}')
                else ''
            end
        ) as {{ into }}_{{ loop.index }},
    {%- endfor %}
        replace({{ into }}_{{ columns | length }}, '{}', '{') as {{ into }}
{%- endmacro -%}

{# The quarter in which a task began: the campaign within which an arm stays the same. #}
{%- macro campaign_cycle(day) -%}
    cast(extract(year from {{ day }}) as string) || 'Q' || cast(extract(quarter from {{ day }}) as string)
{%- endmacro -%}

{# Facts and figures of a customer that plan_by_reason.talking_points may name in braces: none that tells what he is worth, for a
   text cannot be hidden from a role in part. #}
{%- macro talking_columns() -%}
    {{- return([
        'badly_solved_on', 'complaint_subject', 'first_order_on', 'last_order_on', 'launch_category', 'launch_title',
        'next_close_on', 'next_follow_up_on', 'next_grade', 'oldest_complaint_on', 'open_quoted_amount',
        'open_quotes', 'order_history', 'points_to_next_grade', 'promised_on', 'reason_evidence', 'revisit_due_on',
        'revisit_interval_days', 'rhythm', 'warning',
    ]) -}}
{%- endmacro -%}

{# What a declaration says of each list, as a relation: the columns named, beside list_code. #}
{%- macro declarations(lists, columns) -%}
    {%- for list in lists %}
    select
        '{{ list.code }}' as list_code
        {%- for name, type in columns.items() %},
        {%- set value = list[name] %}
        cast(
            {%- if value is none %}null{% elif type == 'string' %}'{{ value | replace("'", "''") }}'{% else %}{{ value }}{% endif %} as {{ type }}) as {{ name }}
        {%- endfor %}
    {{ 'union all' if not loop.last }}
    {%- else %}
    select
        cast(null as string) as list_code
        {%- for name, type in columns.items() %},
        cast(null as {{ type }}) as {{ name }}
        {%- endfor %}
    where false
    {%- endfor %}
{%- endmacro -%}

{# The birthday of a year; who was born on 29 February is congratulated on the 28th in other years. #}
{%- macro birthday_in(birth_date, year) -%}
    coalesce(
        {{ safe_cast("'" ~ year ~ "' || substr(cast(" ~ birth_date ~ " as string), 5)", 'date') }},
        cast('{{ year }}-02-28' as date)
    )
{%- endmacro -%}
