{# The days until the next order is due, known on the day of an order: the service interval where there is one, else
   the unit's own median gap, drawn towards its segment's as strongly as it rests on few gaps. Bounded either way. #}
{%- macro expected_interval_days(service_interval_days, own_gaps, own_median_days, segment_interval_days) -%}
    cast(round(greatest({{ var('min_interval_days') }}, least({{ var('max_interval_days') }}, coalesce(
        cast({{ service_interval_days }} as double),
        (
            {{ own_gaps }} * coalesce({{ own_median_days }}, 0)
            + cast({{ var('interval_shrinkage') }} as double) * {{ segment_interval_days }}
        ) / ({{ own_gaps }} + cast({{ var('interval_shrinkage') }} as double))
    )))) as integer)
{%- endmacro -%}
