{# A measure of a month: NULL until its window (days after the month's end) is over, and wherever the source does not
   deliver the table it is made of; else 0 where nothing happened. Expects the CTEs `months` and `supplied`. #}
{%- macro measure(expression, type='bigint', window_days=0, needs=none) -%}
    case
        when {{ days_after('months.month_end_on', window_days) }} <= {{ as_of() }}
            {%- if needs %} and supplied.{{ needs }}{% endif %}
            then cast(coalesce({{ expression }}, 0) as {{ type }})
    end
{%- endmacro -%}

{# A ratio, third after its numerator and denominator; NULL where there is nothing to divide by. #}
{%- macro ratio(numerator, denominator) -%}
    round(cast({{ numerator }} as double) / nullif({{ denominator }}, 0), 6)
{%- endmacro -%}

{# NPS or CSAT: NULL below the var min_survey_answers. #}
{%- macro survey_figure(numerator, answers) -%}
    case when {{ answers }} >= {{ var('min_survey_answers') }} then {{ ratio(numerator, answers) }} end
{%- endmacro -%}
