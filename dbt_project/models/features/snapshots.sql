with

purchases as (
    select * from {{ ref('int_purchases') }}
),

months as (
    {{ month_spine('ordered_on', 'purchases') }}
),

-- For training: the last days of months of which enough has been seen, the latest ones first.
month_ends as (
    select
        last_day(month_start_on) as snapshot_on,
        row_number() over (order by month_start_on desc) as recency
    from months
    where
        {{ 'true' if var('training') else 'false' }}
        and {{ days_after('last_day(month_start_on)', var('min_observed_days')) }} <= {{ as_of() }}
),

days as (
    select
        snapshot_on,
        false as is_scoring
    from month_ends
    where recency <= {{ var('max_snapshots') }}
    union all
    select
        {{ as_of() }} as snapshot_on,
        true as is_scoring
),

final as (
    select
        snapshot_on,
        is_scoring,
        {{ days_after('snapshot_on', var('horizon_days')) }} as horizon_ends_on,
        {{ days_after('snapshot_on', var('horizon_days')) }} <= {{ as_of() }} as is_finished
    from days
)

select * from final
