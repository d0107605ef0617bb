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

{# The difference between treated and control of every group, with its 95% interval.

   Customers are compared within strata (the draw that made them treated or control, or equal facts): least squares
   with one level per stratum. Of one stratum that is Student's t. The variance of a stratum is read from both arms
   together: a small control group of skewed amounts underestimates its own, and Welch's interval, which trusts it,
   missed the true effect too often (docs/adr/0010). Degrees of freedom after Satterthwaite (1946). A share within one stratum
   has Newcombe's interval (1998, method 10) instead.

   The adjusted difference holds the figure before the assignment equal as well (analysis of covariance, known as CUPED: Deng
   et al. 2013): same effect, less noise.

   cells   relation: one row per group and stratum with
             n, y, x, yy, xx, xy          customers of either arm; sums of the outcome, of the figure before, of their squares
                                          and products
             treated_n, treated_y, treated_x   the same of the treated
             is_share                     whether the outcome is 0 or 1
   keys    columns that make a group
   The result has one row per group: treated_n, control_n, unmatched_n (treated without a counterpart in their stratum, who
   count for the total alone), smaller_n (customers compared of the smaller arm), treated_total, control_total,
   compared_treated_total and compared_control_total (the same of those who have a counterpart), treated_mean,
   control_mean, difference, lower_95, upper_95, interval_method, adjusted_difference, adjusted_lower_95, adjusted_upper_95,
   spread (standard deviation of the outcome within strata) and has_variation. #}
{%- macro stratified_differences(cells, keys) -%}
    {%- set key_list = keys | join(', ') -%}
    {%- set of_group = 'over (partition by ' ~ key_list ~ ')' -%}
    select
        {{ key_list }},
        treated_n,
        control_n,
        unmatched_n,
        smaller_n,
        treated_total,
        control_total,
        compared_treated_total,
        compared_control_total,
        treated_mean,
        control_mean,
        difference,
        case when is_newcombe then difference - sqrt(
            power(treated_mean - {{ wilson_end('treated_mean', 'compared_treated_n', '-') }}, 2)
            + power({{ wilson_end('control_mean', 'compared_control_n', '+') }} - control_mean, 2)
        ) else difference - margin end as lower_95,
        case when is_newcombe then difference + sqrt(
            power({{ wilson_end('treated_mean', 'compared_treated_n', '+') }} - treated_mean, 2)
            + power(control_mean - {{ wilson_end('control_mean', 'compared_control_n', '-') }}, 2)
        ) else difference + margin end as upper_95,
        case when is_newcombe then 'newcombe' when strata = 1 then 'student' else 'least_squares' end as interval_method,
        adjusted_difference,
        adjusted_difference - adjusted_margin as adjusted_lower_95,
        adjusted_difference + adjusted_margin as adjusted_upper_95,
        spread,
        coalesce(total_residual > 0, false) as has_variation
    from (
        select
            *,
            is_share and strata = 1 as is_newcombe,
            -- means as the strata weigh in the difference
            coalesce(treated_level, cast(treated_total as double) / nullif(treated_n, 0)) as treated_mean,
            coalesce(treated_level - difference, cast(control_total as double) / nullif(control_n, 0)) as control_mean,
            {%- for adjusted, estimated in [('', 1), ('adjusted_', 2)] %}
            case
                when 1 / {{ adjusted }}concentration > {{ estimated }}
                    then {{ student_t_975('(1 / ' ~ adjusted ~ 'concentration - ' ~ estimated ~ ')') }}
                    * sqrt(
                        total_{{ adjusted }}residual / power({{ adjusted }}weight, 2)
                        / (1 - {{ estimated }} * {{ adjusted }}concentration)
                    )
            end as {{ adjusted }}margin
            {{- ',' if not loop.last }}
            {%- endfor %}
        from (
            select
                {{ key_list }},
                any_value(is_share) as is_share,
                any_value(difference) as difference,
                any_value(adjusted_difference) as adjusted_difference,
                any_value(treated_level) as treated_level,
                any_value(weight) as weight,
                any_value(adjusted_weight) as adjusted_weight,
                count(*) filter (where balance > 0) as strata,
                sum(treated_n) as treated_n,
                sum(n - treated_n) as control_n,
                sum(treated_y) as treated_total,
                sum(y - treated_y) as control_total,
                coalesce(sum(treated_n) filter (where balance = 0), 0) as unmatched_n,
                {%- for arm, n, total in [('treated', 'treated_n', 'treated_y'), ('control', 'n - treated_n', 'y - treated_y')] %}
                coalesce(sum({{ n }}) filter (where balance > 0), 0) as compared_{{ arm }}_n,
                coalesce(sum({{ total }}) filter (where balance > 0), 0) as compared_{{ arm }}_total,
                {%- endfor %}
                coalesce(least(
                    sum(treated_n) filter (where balance > 0), sum(n - treated_n) filter (where balance > 0)
                ), 0) as smaller_n,
                sqrt(cast({{ exact_sum('within_yy') }} as double) / nullif(sum(n) filter (where balance > 0), 0)) as spread,
                any_value(total_residual) as total_residual,
                any_value(total_adjusted_residual) as total_adjusted_residual,
                -- the inverse of the degrees of freedom; shares of the total, lest their squares outgrow a decimal
                {%- for adjusted in ['', 'adjusted_'] %}
                cast(sum(cast(
                    power({{ adjusted }}residual / nullif(total_{{ adjusted }}residual, 0), 2) / nullif(n - 1, 0)
                    as decimal(38, 18)
                )) as double) as {{ adjusted }}concentration
                {{- ',' if not loop.last }}
                {%- endfor %}
            from (
                select
                    *,
                    cast({{ exact_sum('residual') }} {{ of_group }} as double) as total_residual,
                    cast({{ exact_sum('adjusted_residual') }} {{ of_group }} as double) as total_adjusted_residual
                from (
                    select
                        *,
                        -- what the stratum adds to the variance: its weight times its mean squared residual
                        balance * (within_yy - 2 * difference * within_ty + power(difference, 2) * balance)
                        / nullif(n - 1, 0) as residual,
                        (balance - 2 * slope_of_arm * within_tx + power(slope_of_arm, 2) * within_xx)
                        * (
                            within_yy + power(adjusted_difference, 2) * balance + power(slope, 2) * within_xx
                            - 2 * adjusted_difference * within_ty - 2 * slope * within_xy
                            + 2 * adjusted_difference * slope * within_tx
                        ) / nullif(n - 1, 0) as adjusted_residual
                    from (
                        select
                            *,
                            total_ty / nullif(weight, 0) as difference,
                            (total_ty - slope * total_tx) / nullif(weight, 0) as adjusted_difference,
                            total_tx / nullif(total_xx, 0) as slope_of_arm,
                            weight - power(total_tx, 2) / nullif(total_xx, 0) as adjusted_weight
                        from (
                            select
                                *,
                                cast({{ exact_sum('balance * treated_y / nullif(treated_n, 0)') }} {{ of_group }} as double)
                                / nullif(weight, 0) as treated_level,
                                (weight * total_xy - total_tx * total_ty)
                                / nullif(weight * total_xx - power(total_tx, 2), 0) as slope
                            from (
                                select
                                    *
                                    {%- for name, sum in [
                                        ('weight', 'balance'), ('total_ty', 'within_ty'), ('total_tx', 'within_tx'),
                                        ('total_xx', 'within_xx'), ('total_xy', 'within_xy'),
                                    ] %},
                                    cast({{ exact_sum(sum) }} {{ of_group }} as double) as {{ name }}
                                    {%- endfor %}
                                from (
                                    select
                                        *,
                                        cast(treated_n as double) * (n - treated_n) / n as balance,
                                        {{ within_stratum('treated_y', 'treated_n', 'y') }} as within_ty,
                                        {{ within_stratum('treated_x', 'treated_n', 'x') }} as within_tx,
                                        greatest({{ within_stratum('yy', 'y', 'y') }}, 0) as within_yy,
                                        greatest({{ within_stratum('xx', 'x', 'x') }}, 0) as within_xx,
                                        {{ within_stratum('xy', 'x', 'y') }} as within_xy
                                    from {{ cells }}
                                    where n > 0
                                ) as strata
                            ) as summed
                        ) as sloped
                    ) as solved
                ) as weighed
            ) as scaled
            group by {{ key_list }}
        ) as grouped
    ) as bounded
{%- endmacro -%}

{# A sum of products of deviations from the stratum's means; nothing where the stratum lacks an arm. #}
{%- macro within_stratum(products, first, second) -%}
    case
        when treated_n > 0 and treated_n < n
            then cast({{ products }} as double) - cast({{ first }} as double) * cast({{ second }} as double) / n
        else 0
    end
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
