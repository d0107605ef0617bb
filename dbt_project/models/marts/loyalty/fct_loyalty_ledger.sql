with

postings as (
    select * from {{ ref('stg_loyalty_ledger') }}
),

final as (
    select
        entry_id,
        customer_id,
        posted_on,
        kind,
        points,
        order_id,
        cast(sum(points) over (
            partition by customer_id order by posted_at, entry_id rows between unbounded preceding and current row
        ) as decimal(18, 2)) as balance_after
    from postings
)

select * from final
