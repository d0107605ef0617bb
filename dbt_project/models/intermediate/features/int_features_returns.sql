with

returns as (
    select * from {{ ref('int_returns') }}
),

seen as (
    {{ at_snapshots('returns', 'returned_on', within=365) }}
),

final as (
    select
        snapshot_on,
        customer_id,
        cast(count(*) as integer) as returns_365d,
        cast(count(*) filter (where age_days < 90) as integer) as returns_90d,
        cast(coalesce(sum(amount), 0) as decimal(18, 2)) as returned_amount_365d,
        min(age_days) as days_since_return
    from seen
    group by snapshot_on, customer_id
)

select * from final
