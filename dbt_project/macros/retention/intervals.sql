{# 95% intervals for the difference between two groups, from their counts and sums. #}

{# The 97.5% quantile of Student's t by its expansion around the normal one (Cornish and Fisher; Abramowitz and
   Stegun 26.7.5): exact to four digits from 4 degrees of freedom on. #}
{%- macro student_t_975(degrees) -%}
    {%- set z = 1.959963984540054 -%}
    {%- set terms = [
        (z ** 3 + z) / 4,
        (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
        (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
        (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / 92160,
    ] -%}
    ({{ z }}
    {%- for term in terms %} + {{ term }} / power({{ degrees }}, {{ loop.index }}) {%- endfor -%})
{%- endmacro -%}

{# The unbiased variance of n values, from their sum and the sum of their squares. #}
{%- macro variance_of(n, total, squares) -%}
    greatest(
        (cast({{ squares }} as double) - cast({{ total }} as double) * cast({{ total }} as double) / {{ n }})
        / nullif({{ n }} - 1, 0),
        0
    )
{%- endmacro -%}

{# Degrees of freedom of a difference of two means with unequal variances (Welch 1947), from the two squared
   standard errors and group sizes. #}
{%- macro welch_degrees(error_1, n_1, error_2, n_2) -%}
    power({{ error_1 }} + {{ error_2 }}, 2) / nullif(
        power({{ error_1 }}, 2) / nullif({{ n_1 }} - 1, 0) + power({{ error_2 }}, 2) / nullif({{ n_2 }} - 1, 0), 0
    )
{%- endmacro -%}

{# One end of the Wilson interval of a share: sign is '+' or '-'. #}
{%- macro wilson_end(share, n, sign) -%}
    {%- set z = 1.959963984540054 -%}
    (
        ({{ share }} + {{ z * z }} / (2 * {{ n }})
        {{ sign }} {{ z }} * sqrt(({{ share }} * (1 - {{ share }}) + {{ z * z }} / (4 * {{ n }})) / {{ n }}))
        / (1 + {{ z * z }} / {{ n }})
    )
{%- endmacro -%}
