{# Days and months as rows and columns. #}

{%- macro month_start(day) -%}
    cast(date_trunc('month', {{ day }}) as date)
{%- endmacro -%}

{# Monday and Sunday of a day's week. #}
{%- macro week_start(day) -%}
    cast(date_trunc('week', {{ day }}) as date)
{%- endmacro -%}

{%- macro week_end(day) -%}
    {{ days_after(week_start(day), 6) }}
{%- endmacro -%}

{%- macro months_after(day, months) -%}
    cast({{ day }} + to_months(cast({{ months }} as integer)) as date)
{%- endmacro -%}

{# The first and last days of the months from that of the earliest `column` of a relation to that of as_of. #}
{%- macro month_spine(column, relation) -%}
    select
        {{ months_after('span.first_month', 'numbers.n') }} as month_start_on,
        last_day({{ months_after('span.first_month', 'numbers.n') }}) as month_end_on
    from (select {{ month_start('min(' ~ column ~ ')') }} as first_month from {{ relation }}) as span
    cross join {{ numbers(1332) }}
    where {{ months_after('span.first_month', 'numbers.n') }} <= {{ as_of() }}
{%- endmacro -%}

{# A relation of the integers 0 .. count - 1. #}
{%- macro numbers(count) -%}
    range({{ count }}) as numbers(n)
{%- endmacro -%}

{# How a count moved from one period to the next of equal length; within var trend_share either way it is steady. #}
{%- macro trend(now, before) -%}
    case
        when {{ now }} = 0 and {{ before }} = 0 then 'none'
        when {{ now }} = 0 then 'stopped'
        when {{ before }} = 0 then 'started'
        when {{ now }} < {{ before }} * (1 - {{ var('trend_share') }}) then 'falling'
        when {{ now }} > {{ before }} * (1 + {{ var('trend_share') }}) then 'rising'
        else 'steady'
    end
{%- endmacro -%}
