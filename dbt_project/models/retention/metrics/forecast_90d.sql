{%- set horizon = var('horizon_days') -%}
{%- set step = 30 -%}
{%- set measures = {'orders': 'count(*)', 'net_amount': 'sum(net_amount)', 'profit_amount': 'sum(profit_amount)'} -%}

with daily as (
    select
        ordered_on
        {%- for measure, expression in measures.items() %},
        cast({{ expression }} as decimal(38, 2)) as {{ measure }}
        {%- endfor %}
    from {{ ref('int_purchases') }}
    group by ordered_on
),

totals as (
    {%- for measure in measures %}
    select
        '{{ measure }}' as measure,
        ordered_on,
        {{ measure }} as amount
    from daily
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- the days from which one looks ahead: as_of, and every 30 days back from the one whose horizon ends with as_of
origins as (
    select
        0 as steps_back,
        {{ as_of() }} as origin_on
    union all
    select
        numbers.n + 1 as steps_back,
        {{ days_after(as_of(), '-' ~ horizon ~ ' - ' ~ step ~ ' * numbers.n') }} as origin_on
    from {{ numbers(36) }}
),

-- the horizon, the days before it, and both a year earlier: all that the forecast is made of
windows as (
    select
        totals.measure,
        origins.steps_back,
        origins.origin_on,
        sum(totals.amount) filter (
            where
                totals.ordered_on > origins.origin_on
                and totals.ordered_on <= {{ days_after('origins.origin_on', horizon) }}
        ) as actual,
        sum(totals.amount) filter (
            where
                totals.ordered_on <= origins.origin_on
                and totals.ordered_on > {{ days_after('origins.origin_on', '-' ~ horizon) }}
        ) as recent,
        sum(totals.amount) filter (
            where
                totals.ordered_on > {{ days_after('origins.origin_on', '-365') }}
                and totals.ordered_on <= {{ days_after('origins.origin_on', '-365 + ' ~ horizon) }}
        ) as same_season,
        sum(totals.amount) filter (
            where
                totals.ordered_on <= {{ days_after('origins.origin_on', '-365') }}
                and totals.ordered_on > {{ days_after('origins.origin_on', '-365 - ' ~ horizon) }}
        ) as recent_year_before,
        min(totals.ordered_on) as first_on
    from origins
    cross join totals
    group by totals.measure, origins.steps_back, origins.origin_on
),

-- The last horizon carried on is blind to seasons, last year's carried forward at the growth seen lately to nothing but
-- noisier: their geometric mean errs less than either, as a rule. Whether it does here, the backtests say.
forecasts as (
    select
        *,
        case when first_on <= {{ days_after('origin_on', '1 - ' ~ horizon) }} then cast(recent as double) end as naive,
        case
            when
                first_on <= {{ days_after('origin_on', '-364 - ' ~ horizon) }}
                and recent > 0 and same_season > 0 and recent_year_before > 0
                then sqrt(
                    cast(recent as double) * cast(same_season as double)
                    * (cast(recent as double) / cast(recent_year_before as double))
                )
        end as combined
    from windows
),

known as (
    select
        measure,
        max(case when steps_back = 0 then combined end) is not null as is_season_seen,
        count(case when steps_back > 0 and actual > 0 then combined end) > 0 as is_season_judged
    from forecasts
    group by measure
),

-- both on the same horizons, where there is one on which both can be judged; they overlap: as many errors as horizons
-- fit into the time count as independent
errors as (
    select
        forecasts.measure,
        count(*) as backtests,
        count(*) * {{ step }} / cast({{ horizon }} as double) as independent_backtests
        {%- for method in ['naive', 'combined'] %},
        cast(
            sum(cast(power(ln(cast(forecasts.actual as double) / forecasts.{{ method }}), 2) as decimal(38, 12))) as double
        ) / count(*) as {{ method }}_mean_square,
        {{ exact_avg(
            'abs(forecasts.' ~ method ~ ' - cast(forecasts.actual as double)) / cast(forecasts.actual as double)'
        ) }} as {{ method }}_mean_absolute_error
        {%- endfor %}
    from forecasts
    inner join known on forecasts.measure = known.measure
    where
        forecasts.steps_back > 0
        and forecasts.actual > 0
        and forecasts.naive > 0
        and (forecasts.combined is not null or not (known.is_season_seen and known.is_season_judged))
    group by forecasts.measure
),

served as (
    select
        known.measure,
        known.is_season_seen,
        known.is_season_judged,
        errors.backtests,
        errors.independent_backtests,
        errors.naive_mean_absolute_error,
        case
            when known.is_season_seen and known.is_season_judged then errors.combined_mean_absolute_error
        end as combined_mean_absolute_error,
        errors.naive_mean_square,
        errors.combined_mean_square,
        coalesce(
            known.is_season_seen
            and known.is_season_judged
            and errors.combined_mean_absolute_error < errors.naive_mean_absolute_error,
            false
        ) as has_season
    from known
    left join errors on known.measure = errors.measure
),

told as (
    select
        forecasts.measure,
        forecasts.steps_back,
        forecasts.origin_on,
        forecasts.actual,
        forecasts.same_season,
        case when served.has_season then forecasts.combined else forecasts.naive end as forecast
    from forecasts
    inner join served on forecasts.measure = served.measure
),

judged as (
    select
        *,
        case when has_season then combined_mean_square else naive_mean_square end as mean_square,
        case when has_season then combined_mean_absolute_error else naive_mean_absolute_error end as mean_absolute_error
    from served
),

final as (
    select
        {{ as_of() }} as as_of_date,
        told.measure,
        {{ days_after(as_of(), 1) }} as from_on,
        {{ days_after(as_of(), horizon) }} as until_on,
        case
            when told.forecast is null then null
            when judged.has_season then 'recent_and_same_season'
            else 'recent'
        end as method,
        case
            when told.forecast is null then null
            when judged.has_season then 'it erred less than the last horizon carried on'
            when judged.combined_mean_absolute_error is not null then 'with the season of last year it would have erred no less'
            when judged.is_season_seen then 'a year was seen, and no horizon since on which to judge its season'
            else 'a year has not been seen'
        end as method_because,
        cast(told.forecast as decimal(18, 2)) as forecast,
        case
            when judged.independent_backtests >= 4
                then cast(told.forecast * exp(
                    -{{ student_t_975('judged.independent_backtests') }}
                    * sqrt(judged.mean_square * (1 + 1 / judged.independent_backtests))
                ) as decimal(18, 2))
        end as lower_95,
        case
            when judged.independent_backtests >= 4
                then cast(told.forecast * exp(
                    {{ student_t_975('judged.independent_backtests') }}
                    * sqrt(judged.mean_square * (1 + 1 / judged.independent_backtests))
                ) as decimal(18, 2))
        end as upper_95,
        cast(told.same_season as decimal(18, 2)) as year_before,
        round(told.forecast / nullif(cast(told.same_season as double), 0) - 1, 6) as change_on_year_before,
        backtest.origin_on as backtest_on,
        cast(backtest.forecast as decimal(18, 2)) as backtest_forecast,
        cast(backtest.actual as decimal(18, 2)) as backtest_actual,
        round(backtest.forecast / nullif(cast(backtest.actual as double), 0) - 1, 6) as backtest_error,
        cast(coalesce(judged.backtests, 0) as integer) as backtests,
        round(judged.mean_absolute_error, 6) as mean_absolute_error,
        round(judged.naive_mean_absolute_error, 6) as naive_mean_absolute_error,
        round(judged.combined_mean_absolute_error, 6) as seasonal_mean_absolute_error,
        case
            when told.forecast is null then 'less than one horizon of orders'
            when coalesce(judged.independent_backtests, 0) < 4 then 'too few finished horizons for an interval'
        end as why_not
    from told
    inner join judged on told.measure = judged.measure
    left join told as backtest on told.measure = backtest.measure and backtest.steps_back = 1
    where told.steps_back = 0
)

select * from final
