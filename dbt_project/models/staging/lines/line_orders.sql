with priced_lines as (
    select * from {{ ref('priced_lines') }}
),

by_status as (
    select
        order_id,
        status,
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
    group by order_id, status
),

-- of an order in several states only what was completed was bought
final as (
    select
        order_id,
        customer_id,
        ordered_at,
        ordered_on,
        status,
        currency,
        country,
        channel,
        store_id,
        net_amount,
        gross_amount,
        discount_amount,
        cost_amount
    from by_status
    qualify row_number() over (
        partition by order_id
        order by case when status = 'completed' then 0 else 1 end, status
    ) = 1
)

select * from final
