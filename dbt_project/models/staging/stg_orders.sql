with priced_orders as (
    select * from {{ ref('priced_orders') }}
),

final as (
    select * from priced_orders
    where net_amount >= 0
)

select * from final
