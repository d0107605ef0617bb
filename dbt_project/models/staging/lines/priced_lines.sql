with order_lines as (
    select * from {{ ref('stg_order_lines') }}
),

currency_rates as (
    select * from {{ ref('currency_rates') }}
),

rated as (
    select
        order_lines.*,
        cast(coalesce(currency_rates.home_rate, 1) as decimal(18, 9)) as home_rate
    from order_lines
    left join currency_rates
        on
            order_lines.currency = currency_rates.currency
            and order_lines.ordered_on >= currency_rates.valid_from
            and order_lines.ordered_on < currency_rates.valid_to
    where order_lines.currency is null or currency_rates.home_rate is not null
),

final as (
    select
        order_id,
        customer_id,
        ordered_at,
        ordered_on,
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
