with

postings as (
    select * from {{ ref('stg_loyalty_ledger') }}
),

seen as (
    {{ at_snapshots('postings', 'posted_on') }}
),

final as (
    select
        snapshot_on,
        customer_id,
        cast(sum(points) as decimal(18, 2)) as points_balance,
        cast(coalesce(sum(points) filter (where points > 0 and age_days < 365), 0) as decimal(18, 2))
            as points_earned_365d,
        cast(count(*) filter (where kind = 'redeem' and age_days < 365) as integer) as redemptions_365d,
        min(age_days) filter (where kind = 'redeem') as days_since_redemption
    from seen
    group by snapshot_on, customer_id
)

select * from final
