{# How few events a count may stand for: the lower end of the mean of a Poisson variable of which `count` were seen, `deviations`
   standard deviations away by Byar's approximation (Breslow and Day 1987). The root of what is expected would do
   for large counts alone: one complaint where a tenth is expected is no alarm. #}
{%- macro poisson_lower_end(count, deviations) -%}
    {{ count }} * power(greatest(
        1 - 1 / (9 * cast(greatest({{ count }}, 1) as double))
        - {{ deviations }} / (3 * sqrt(cast(greatest({{ count }}, 1) as double))), 0
    ), 3)
{%- endmacro -%}
