with

unit_days as (
    select
        *,
        order_day_number - 1 as own_gaps,
        {{ running_median('gap_days', partition_by=['customer_id', 'unit_id'], order_by='ordered_on') }}
            as own_median_days
    from {{ ref('int_unit_days') }}
),

segments as (
    select * from {{ ref('int_segment_intervals') }}
),

informed as (
    select
        unit_days.*,
        coalesce(unit_days.asset_interval_days, unit_days.product_interval_days) as service_interval_days,
        coalesce(
            own_segment.interval_days, all_segments.interval_days, {{ var('default_interval_days') }}
        ) as segment_interval_days
    from unit_days
    left join segments as own_segment
        on unit_days.segment = own_segment.segment
        and {{ month_start('unit_days.ordered_on') }} = own_segment.month_start_on
    left join segments as all_segments
        on all_segments.segment is null
        and {{ month_start('unit_days.ordered_on') }} = all_segments.month_start_on
),

expected as (
    select
        *,
        case
            when asset_interval_days is not null then 'asset'
            when product_interval_days is not null then 'product'
            when own_gaps > 0 then 'own'
            else 'segment'
        end as interval_basis,
        {{ expected_interval_days(
            'service_interval_days', 'own_gaps', 'own_median_days', 'segment_interval_days'
        ) }} as expected_interval_days
    from informed
),

final as (
    select
        customer_id,
        unit_id,
        ordered_on,
        next_ordered_on,
        order_day_number,
        gap_days,
        own_median_days,
        segment,
        segment_interval_days,
        service_interval_days,
        interval_basis,
        expected_interval_days
    from expected
)

select * from final
