with

features as (
    select
        snapshot_on,
        customer_id
    from {{ ref('customer_features') }}
),

snapshots as (
    select * from {{ ref('snapshots') }}
    where not is_scoring
),

customer_days as (
    select * from {{ ref('int_customer_days') }}
),

final as (
    select
        features.snapshot_on,
        features.customer_id,
        cast({{ days_between('features.snapshot_on', 'customer_days.next_ordered_on') }} as integer)
            as days_to_next_order,
        cast({{ days_between('features.snapshot_on', as_of()) }} as integer) as days_observed,
        case
            when snapshots.is_finished
                then
                    customer_days.next_ordered_on is null
                    or customer_days.next_ordered_on > snapshots.horizon_ends_on
        end as churned
    from features
    inner join snapshots on features.snapshot_on = snapshots.snapshot_on
    inner join customer_days on {{ is_last_order_day('features') }}
)

select * from final
