with

unit_days as (
    select * from {{ ref('int_unit_days') }}
),

-- First gaps of units followed long enough. All gaps seen so far would be too short, since young data hold no long ones
-- and frequent buyers most of them: on CDNOW half of those who came again had been called churned before (ADR 7).
first_gaps as (
    select
        segment,
        gap_days,
        {{ days_after('ordered_on', '-gap_days + ' ~ var('segment_follow_up_days')) }} as followed_until
    from unit_days
    where order_day_number = 2 and gap_days <= {{ var('segment_follow_up_days') }}
),

-- A histogram, since gaps are whole days and bounded: its cumulative sums give the median of every month at once.
gaps as (
    select
        segment,
        {{ month_start(days_after('followed_until', -1)) }} as observed_month,
        gap_days,
        count(*) as gaps
    from first_gaps
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

-- Where categories are free text, most segments never have enough gaps: they would only swell the grid below.
large_enough as (
    select *
    from pooled
    qualify sum(gaps) over (partition by segment) >= {{ var('segment_min_gaps') }}
),

months as (
    {{ month_spine('ordered_on', 'unit_days') }}
),

cells as (
    select distinct
        segment,
        gap_days
    from large_enough
),

observed_before as (
    select
        cells.segment,
        cells.gap_days,
        months.month_start_on,
        sum(large_enough.gaps) over (
            partition by cells.segment, cells.gap_days order by months.month_start_on
            rows between unbounded preceding and 1 preceding
        ) as gaps
    from cells
    cross join months
    left join large_enough
        on cells.segment is not distinct from large_enough.segment
        and cells.gap_days = large_enough.gap_days
        and months.month_start_on = large_enough.observed_month
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
