with

products as (
    select * from {{ ref('stg_products') }}
),

final as (
    select
        product_id,
        name as product_name,
        category,
        unit_cost,
        service_interval_days
    from products
)

select * from final
