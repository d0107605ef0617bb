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
        {{ sum_in_cents('gross_amount - discount_amount') }} as net_amount,
        {{ sum_in_cents('gross_amount') }} as gross_amount,
        {{ sum_in_cents('discount_amount') }} as discount_amount,
        case when count(cost_amount) = count(*) then {{ sum_in_cents('cost_amount') }} end as cost_amount
    from priced_lines
    where not is_return
    group by order_id
)

select * from final
