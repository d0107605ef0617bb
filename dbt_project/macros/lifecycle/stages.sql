{# Stages by missed intervals. A severity (0 in time, 1 watch, 2 quasi-churned, 3 churned) follows from the order days
   alone; the names of severity 0 (new, active, won back) follow from what came before it. #}

{# Spells of one severity per key, from rows (keys, severity, valid_from); a row that changes nothing begins none. #}
{%- macro severity_spells(changes, keys) -%}
    select
        {{ keys | join(', ') }},
        severity,
        lag(severity) over placed as previous_severity,
        valid_from,
        lead(valid_from) over placed as valid_to
    from (
        select
            *,
            lag(severity) over (partition by {{ keys | join(', ') }} order by valid_from) as severity_before
        from {{ changes }}
    ) as compared
    where severity is distinct from severity_before
    window placed as (partition by {{ keys | join(', ') }} order by valid_from)
{%- endmacro -%}

{# Spells of one stage per key, from spells of one severity and the first order day of each key. `new` lasts until the
   second order day and `won_back` for its window, unless a miss ends the spell before: the rest of it is `active`. #}
{%- macro stage_spells(spells, first_days, keys) -%}
    with

    named as (
        select
            spells.*,
            case
                when spells.severity = 1 then 'watch'
                when spells.severity = 2 then 'quasi_churned'
                when spells.severity = 3 then 'churned'
                when first_days.ordered_on is not null then 'new'
                when spells.previous_severity = 3 then 'won_back'
                else 'active'
            end as stage,
            case
                when spells.severity > 0 then null
                when first_days.ordered_on is not null then first_days.next_ordered_on
                when spells.previous_severity = 3
                    then {{ days_after('spells.valid_from', var('won_back_window_days')) }}
            end as active_from
        from {{ spells }} as spells
        left join {{ first_days }} as first_days
            on spells.valid_from = first_days.ordered_on
            {% for key in keys %}and spells.{{ key }} = first_days.{{ key }} {% endfor %}
    ),

    split as (
        select
            *,
            active_from <= {{ as_of() }} and active_from < coalesce(valid_to, {{ days_after(as_of(), 1) }}) as is_split
        from named
    )

    select {{ keys | join(', ') }}, stage, valid_from, case when is_split then active_from else valid_to end as valid_to
    from split
    union all
    select {{ keys | join(', ') }}, 'active' as stage, active_from as valid_from, valid_to
    from split
    where is_split
{%- endmacro -%}

{# Whether somebody has missed as many intervals as make severity 3. #}
{%- macro is_churned(overdue_ratio) -%}
    {{ overdue_ratio }} >= 3
{%- endmacro -%}

{# Whether somebody has stayed away for so long that he is past the red line (流失紅線). #}
{%- macro is_past_red_line(overdue_ratio) -%}
    {{ overdue_ratio }} >= {{ var('red_line_ratio') }}
{%- endmacro -%}
