with order_lines as (
    select * from {{ ref('stg_order_lines') }}
),

currency_rates as (
    select * from {{ ref('currency_rates') }}
),

rated as (
    {{ rated_rows('order_lines') }}
),

final as (
    select
        order_id,
        customer_id,
        ordered_at,
        ordered_on,
        line_no,
        status,
        product_id,
        product_name,
        category,
        country,
        channel,
        store_id,
        currency,
        quantity,
        {{ home_price('unit_price') }} as unit_price,
        {{ home_price('cast(quantity * unit_price as decimal(18, 4))') }} as gross_amount,
        {{ home_price('coalesce(cast(discount_amount as decimal(18, 4)), 0)') }} as discount_amount,
        {{ home_price('cast(quantity * unit_cost as decimal(18, 4))') }} as cost_amount,
        {{ is_return_line() }} as is_return
    from rated
)

select * from final
