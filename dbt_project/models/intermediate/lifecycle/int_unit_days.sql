with

purchases as (
    select * from {{ ref('int_purchases') }}
),

assets as (
    select * from {{ ref('stg_assets') }}
),

days as (
    select
        customer_id,
        unit_id,
        ordered_on,
        max(asset_id) as asset_id,
        min(service_interval_days) as product_interval_days,
        min_by(category, order_number) filter (where category is not null) as category
    from purchases
    group by customer_id, unit_id, ordered_on
),

final as (
    select
        days.customer_id,
        days.unit_id,
        days.ordered_on,
        lead(days.ordered_on) over placed as next_ordered_on,
        cast(row_number() over placed as integer) as order_day_number,
        cast({{ days_between('lag(days.ordered_on) over placed', 'days.ordered_on') }} as integer) as gap_days,
        coalesce(assets.kind, first_value(days.category) over placed) as segment,
        assets.service_interval_days as asset_interval_days,
        days.product_interval_days
    from days
    -- What is recorded of an asset after an order says nothing about how that order was seen on its day.
    left join assets
        on days.asset_id = assets.asset_id
        and coalesce(assets.acquired_on, days.ordered_on) <= days.ordered_on
    window placed as (partition by days.customer_id, days.unit_id order by days.ordered_on)
)

select * from final
