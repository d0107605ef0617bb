{# What an activity may change: one home for the outcomes that effects are measured in.

   code        name in list_effect.outcome
   column      column of activity_outcomes; with `_before`, the same over the days before the assignment
   window      days after the assignment
   is_share    whether it is 0 or 1 per customer
   is_covariate  whether the figure before predicts the one after, and is known of every customer
   needs       source tables without which it is unknown #}
{%- macro effect_outcomes() -%}
    {%- set days = var('effect_window_days') -%}
    {{- return([
        {'code': 'bought', 'column': 'bought_30', 'window': 30, 'is_share': true, 'is_covariate': true},
        {'code': 'bought', 'column': 'bought_60', 'window': 60, 'is_share': true, 'is_covariate': true},
        {'code': 'bought', 'column': 'bought', 'window': days, 'is_share': true, 'is_covariate': true},
        {'code': 'orders', 'column': 'orders', 'window': days, 'is_share': false, 'is_covariate': true},
        {'code': 'profit', 'column': 'profit', 'window': days, 'is_share': false, 'is_covariate': true},
        {'code': 'net_profit', 'column': 'net_profit', 'window': days, 'is_share': false, 'is_covariate': true},
        {'code': 'churned', 'column': 'churned', 'window': days, 'is_share': true, 'is_covariate': true},
        {'code': 'complaints', 'column': 'complaints', 'window': days, 'is_share': false, 'is_covariate': true},
        {'code': 'satisfaction', 'column': 'satisfaction', 'window': days, 'is_share': false, 'is_covariate': false},
    ]) -}}
{%- endmacro -%}

{# The band, numbered from 0, in which a value falls: edges are the last values of their bands. #}
{%- macro band(value, edges) -%}
    case
        {%- for edge in edges %} when {{ value }} <= {{ edge }} then {{ loop.index0 }}{% endfor %} else {{ edges | length }} end
{%- endmacro -%}

{# Per group and stratum: customers, sums and sums of squares of every outcome, once for the effect and once for the figures
   before (role placebo), which are compared within the strata of their own time. #}
{%- macro sums_of_outcomes(relation, keys) -%}
    {%- for role, stratum in [('effect', 'stratum'), ('placebo', 'stratum_before')] %}
    select
        {{ keys | join(', ') }},
        '{{ role }}' as role,
        {{ stratum }} as stratum
        {%- for outcome in effect_outcomes() %}
        {%- set after, before = outcome.column, outcome.column ~ '_before' %}
        {%- set y = after if role == 'effect' else before %}
        {%- set x = before if role == 'effect' and outcome.is_covariate else '0' %}
        {%- set known = y ~ ' is not null' %},
        count({{ y }}) as {{ outcome.column }}_n
        {#- the square of 0 or 1 is itself, and what is 0 need not be summed #}
        {%- set squares = [('yy', y), ('xx', x)] if outcome.is_share else [('yy', y ~ ' * ' ~ y), ('xx', x ~ ' * ' ~ x)] %}
        {%- for figure, value in [('y', y), ('x', x), ('xy', x ~ ' * ' ~ y)] + squares %},
        {% if x == '0' and 'x' in figure %}0{% else %}coalesce(sum({{ value }}) filter (where {{ known }}), 0){% endif %} as {{ outcome.column }}_{{ figure }}
        {%- endfor %}
        {%- endfor %}
    from {{ relation }}
    where {{ stratum }} is not null
    group by all
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro -%}
