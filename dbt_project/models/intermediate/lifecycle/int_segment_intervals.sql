with

unit_days as (
    select * from {{ ref('int_unit_days') }}
),

-- A histogram, since gaps are whole days and bounded: its cumulative sums give the median of every month at once.
gaps as (
    select
        segment,
        {{ month_start('ordered_on') }} as observed_month,
        least(gap_days, {{ var('max_interval_days') }}) as gap_days,
        count(*) as gaps
    from unit_days
    where gap_days is not null
    group by all
),

pooled as (
    select
        segment,
        observed_month,
        gap_days,
        gaps
    from gaps
    where segment is not null
    union all
    select
        null as segment,
        observed_month,
        gap_days,
        sum(gaps) as gaps
    from gaps
    group by observed_month, gap_days
),

months as (
    {{ month_spine('ordered_on', 'unit_days') }}
),

cells as (
    select distinct
        segment,
        gap_days
    from pooled
),

observed_before as (
    select
        cells.segment,
        cells.gap_days,
        months.month_start_on,
        sum(pooled.gaps) over (
            partition by cells.segment, cells.gap_days order by months.month_start_on
            rows between unbounded preceding and 1 preceding
        ) as gaps
    from cells
    cross join months
    left join pooled
        on cells.segment is not distinct from pooled.segment
        and cells.gap_days = pooled.gap_days
        and months.month_start_on = pooled.observed_month
),

cumulated as (
    select
        segment,
        month_start_on,
        gap_days,
        sum(gaps) over (partition by segment, month_start_on order by gap_days) as gaps_up_to,
        sum(gaps) over (partition by segment, month_start_on) as gaps
    from observed_before
),

final as (
    select
        segment,
        month_start_on,
        cast(max(gaps) as integer) as gaps,
        (
            min(gap_days) filter (where 2 * gaps_up_to >= gaps) + min(gap_days) filter (where 2 * gaps_up_to > gaps)
        ) / cast(2 as double) as interval_days
    from cumulated
    group by segment, month_start_on
    having max(gaps) >= {{ var('segment_min_gaps') }}
)

select * from final
