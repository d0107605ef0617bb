{# What counts as having spoken to a customer. #}

{# Somebody tried to speak to the customer; a greeting (care) is sent, not spoken. A source that does not say who began
   records what its own people did. #}
{%- macro is_attempt() -%}
    (coalesce(direction, 'outbound') = 'outbound' and coalesce(kind, '') <> 'care')
{%- endmacro -%}

{# The two spoke, whoever began; a source that does not record outcomes records contacts that took place. A customer
   who refuses has been spoken to. #}
{%- macro is_conversation() -%}
    (coalesce(kind, '') <> 'care' and coalesce(outcome, '') <> 'no_answer')
{%- endmacro -%}

{# The measures that the scorecards of owners and of teams share, numerators and denominators before their ratio; summed
   for a group of owners. NULL where the source does not deliver what they are made of, or a window is not over. #}
{%- macro scorecard_measures(grouped) -%}
    {%- for measure in [
        'customers_at_start', 'core_customers_at_start', 'customers_gained', 'customers_lost', 'customers_won_back',
        ['loss_rate', 'customers_lost', 'customers_at_start'],
        'revisits_due', 'revisits_done', 'revisits_reached', 'revisits_overdue', 'revisits_returned',
        ['revisit_completion_rate', 'revisits_done', 'revisits_due'],
        ['revisit_reached_rate', 'revisits_reached', 'revisits_done'],
        'follow_ups_due', 'follow_ups_kept', 'follow_ups_late', 'follow_ups_missed',
        ['follow_up_kept_rate', 'follow_ups_kept', 'follow_ups_due'],
        'contacts', 'attempts', 'attempts_reached', 'customers_contacted',
        'opportunities_quoted', ['quoted_amount'], 'opportunities_closed', 'opportunities_won', 'opportunities_lost',
        ['won_amount'],
        ['win_rate', 'opportunities_won', 'opportunities_closed'],
        'csat_answers', 'satisfied_answers', ['csat', 'satisfied_answers', 'csat_answers', survey_figure],
        'nps_answers', 'promoters', 'detractors', ['nps', '100 * (promoters - detractors)', 'nps_answers', survey_figure],
        'complaints', 'praises'
    ] -%}
    {%- if measure is string -%}
        cast({{ 'sum(' ~ measure ~ ')' if grouped else measure }} as integer) as {{ measure }}
    {%- elif measure | length == 1 -%}
        cast({{ 'sum(' ~ measure[0] ~ ')' if grouped else measure[0] }} as decimal(18, 2)) as {{ measure[0] }}
    {%- else -%}
        {%- set figure = measure[3] | default(ratio) -%}
        {{ figure(
            'sum(' ~ measure[1] ~ ')' if grouped else measure[1], 'sum(' ~ measure[2] ~ ')' if grouped else measure[2]
        ) }} as {{ measure[0] }}
    {%- endif -%}
    {{- ',\n        ' if not loop.last }}
    {%- endfor -%}
{%- endmacro -%}
