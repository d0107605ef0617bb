{# Time. Storage is UTC in plain timestamps; the business time zone decides the day of an event. #}

{# The UTC timestamp of a plain timestamp that holds business time. A time that the spring change
   skipped is read as one hour later, one that autumn repeats as the later of the two: no row is lost. #}
{%- macro to_utc(business_time) -%}
    {%- if var('timezone') == 'UTC' -%} {{ business_time }}
    {%- else -%} timezone('UTC', timezone('{{ var("timezone") }}', {{ business_time }}))
    {%- endif -%}
{%- endmacro -%}

{# The UTC timestamp of a timestamp that carries a zone. #}
{%- macro zoned_to_utc(zoned_time) -%}
    timezone('UTC', {{ zoned_time }})
{%- endmacro -%}

{# The day in the business time zone on which a UTC timestamp falls. #}
{%- macro business_date(utc_time) -%}
    {%- if var('timezone') == 'UTC' -%} cast({{ utc_time }} as date)
    {%- else -%} cast(timezone('{{ var("timezone") }}', timezone('UTC', {{ utc_time }})) as date)
    {%- endif -%}
{%- endmacro -%}

{# The day the run speaks for. Not known while dbt parses: runs of all days share what was parsed then, so a day within a
   `config` would be the wrong one. Where it gets into one, the text stops the query that reads it. #}
{%- macro as_of() -%}
    cast('{{ var("as_of") if execute else "not known while dbt parses" }}' as date)
{%- endmacro -%}

{# Whole days from one date to a later one; negative when the second is the earlier one. #}
{%- macro days_between(earlier, later) -%}
    datediff('day', cast({{ earlier }} as date), cast({{ later }} as date))
{%- endmacro -%}

{# The date a number of days (an integer or an integer column) after a date. #}
{%- macro days_after(day, days) -%}
    cast({{ day }} + cast({{ days }} as integer) as date)
{%- endmacro -%}

{# The first moment (UTC) that no longer belongs to the run. #}
{%- macro as_of_end() -%}
    {{ to_utc('cast(' ~ days_after(as_of(), 1) ~ ' as timestamp)') }}
{%- endmacro -%}

{# Whole minutes from one timestamp to a later one. Engines count the full hours passed or the hours begun: seconds are
   where they agree. #}
{%- macro minutes_between(earlier, later) -%}
    cast(floor(datediff('second', {{ earlier }}, {{ later }}) / 60) as integer)
{%- endmacro -%}
