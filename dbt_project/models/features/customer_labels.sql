with

features as (
    select
        snapshot_on,
        customer_id
    from {{ ref('customer_features') }}
),

snapshots as (
    select * from {{ ref('snapshots') }}
),

outcomes as (
    select * from {{ ref('purchase_outcomes') }}
),

final as (
    select
        features.snapshot_on,
        features.customer_id,
        outcomes.days_to_next_order,
        outcomes.days_observed,
        case
            when snapshots.is_finished
                then
                    outcomes.days_to_next_order is null
                    or outcomes.days_to_next_order
                    > {{ days_between('snapshots.snapshot_on', 'snapshots.horizon_ends_on') }}
        end as churned
    from features
    inner join snapshots on features.snapshot_on = snapshots.snapshot_on
    inner join outcomes
        on features.snapshot_on = outcomes.snapshot_on and features.customer_id = outcomes.customer_id
)

select * from final
