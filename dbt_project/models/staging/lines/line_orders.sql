with priced_lines as (
    select * from {{ ref('priced_lines') }}
),

final as (
    select
        order_id,
        -- lines of one order should agree on these; where they do not, the choice must not depend on their order
        min(customer_id) as customer_id,
        min(ordered_at) as ordered_at,
        min(ordered_on) as ordered_on,
        min(currency) as currency,
        min(country) as country,
        min(channel) as channel,
        min(store_id) as store_id,
        cast(sum(gross_amount - discount_amount) as decimal(18, 2)) as net_amount,
        cast(sum(gross_amount) as decimal(18, 2)) as gross_amount,
        cast(sum(discount_amount) as decimal(18, 2)) as discount_amount,
        cast(case when count(cost_amount) = count(*) then sum(cost_amount) end as decimal(18, 2)) as cost_amount
    from priced_lines
    where not is_return
    group by order_id
)

select * from final
