{# Counts and sums of one source: 0 where the customer has none, NULL where the source did not exist yet. #}
{%- macro counted(part, columns, start=none) -%}
    {%- for column in columns -%}
        case
            when starts.{{ start or part }}_on <= population.snapshot_on then coalesce({{ part }}.{{ column }}, 0)
        end as {{ column }}
        {%- if not loop.last %},
        {% endif -%}
    {%- endfor -%}
{%- endmacro -%}

{# The middle of the horizon as a point on the circle of the year; rounded, since the last digits of sin and cos
   differ between machines. #}
{%- macro season(function, snapshot_on) -%}
    round({{ function }}(
        2 * pi() * extract(doy from {{ days_after(snapshot_on, 'floor(' ~ var('horizon_days') ~ ' / 2)') }}) / 365.25
    ), 6)
{%- endmacro -%}

{# Condition of a join: the customer's last order day up to the day of a row. That day's row of int_customer_days knows
   all that was ordered so far, and which order day comes next. #}
{%- macro is_last_order_day(row) -%}
    {{ row }}.customer_id = customer_days.customer_id
    and {{ row }}.snapshot_on >= customer_days.ordered_on
    and (customer_days.next_ordered_on is null or {{ row }}.snapshot_on < customer_days.next_ordered_on)
{%- endmacro -%}

{# Mean and standard deviation of a customer's gaps so far, from exact sums: n gaps add up to the days between the
   first and the last order day, and n * (sum of squares) - (sum)^2 is a whole number that cannot fall below zero. #}
{%- macro mean_gap_days() -%}
    {{ days_between('customer_days.first_ordered_on', 'customer_days.ordered_on') }}
    / cast(nullif(customer_days.order_day_number - 1, 0) as double)
{%- endmacro -%}

{%- macro gap_deviation_days() -%}
    {%- set span = days_between('customer_days.first_ordered_on', 'customer_days.ordered_on') -%}
    sqrt(cast(
        (customer_days.order_day_number - 1) * customer_days.squared_gaps_so_far
        - cast({{ span }} as bigint) * {{ span }} as double
    )) / nullif(customer_days.order_day_number - 1, 0)
{%- endmacro -%}

{# 1 or 0, NULL where not known: a column of booleans with gaps reaches Python as objects. #}
{%- macro flag(condition) -%}
    cast({{ condition }} as integer)
{%- endmacro -%}
