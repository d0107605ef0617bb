with

customer_days as (
    select * from {{ ref('int_customer_days') }}
),

seen as (
    {{ at_snapshots('customer_days', 'ordered_on', within=365) }}
),

final as (
    select
        snapshot_on,
        customer_id,
        {% for days in [30, 90, 180, 365] -%}
        cast(coalesce(sum(orders) filter (where age_days < {{ days }}), 0) as integer) as orders_{{ days }}d,
        cast(coalesce(sum(net_amount) filter (where age_days < {{ days }}), 0) as decimal(18, 2))
            as net_amount_{{ days }}d,
        {% endfor -%}
        cast(count(*) filter (where age_days < 90) as integer) as order_days_90d,
        cast(count(*) as integer) as order_days_365d,
        cast(coalesce(sum(profit_amount), 0) as decimal(18, 2)) as profit_amount_365d,
        cast(coalesce(sum(discount_amount), 0) as decimal(18, 2)) as discount_amount_365d,
        cast(sum(quantity) as decimal(18, 3)) as quantity_365d,
        cast(max(net_amount) as decimal(18, 2)) as largest_day_amount_365d,
        {{ flag('min(channel) <> max(channel)') }} as is_multichannel_365d,
        -- The year before the horizon's last day ends with the same season of last year.
        cast(coalesce(sum(orders) filter (where age_days >= 365 - {{ var('horizon_days') }}), 0) as integer)
            as orders_same_season
    from seen
    group by snapshot_on, customer_id
)

select * from final
