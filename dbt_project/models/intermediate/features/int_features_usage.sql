with

usage_events as (
    select * from {{ ref('stg_usage_events') }}
),

seen as (
    {{ at_snapshots('usage_events', 'occurred_on', within=365) }}
),

final as (
    select
        snapshot_on,
        customer_id,
        cast(count(*) filter (where age_days < 30) as integer) as usage_events_30d,
        cast(count(*) filter (where age_days < 90) as integer) as usage_events_90d,
        cast(count(*) as integer) as usage_events_365d,
        cast(
            count(*) filter (where age_days < 90) - count(*) filter (where age_days >= 90 and age_days < 180) as integer
        ) as usage_events_change_90d,
        cast(coalesce(sum(quantity) filter (where age_days < 90), 0) as decimal(18, 3)) as usage_quantity_90d,
        min(age_days) as days_since_usage
    from seen
    group by snapshot_on, customer_id
)

select * from final
