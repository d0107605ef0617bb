with delivered_products as (
    select * from {{ ref('delivered_products') }}
),

line_products as (
    select * from {{ ref('line_products') }}
),

final as (
    select
        product_id,
        name,
        category,
        unit_cost,
        service_interval_days,
        launched_at,
        launched_on
    from delivered_products

    union all

    select
        product_id,
        name,
        category,
        cast(null as decimal(18, 4)) as unit_cost,
        cast(null as integer) as service_interval_days,
        cast(null as timestamp) as launched_at,
        cast(null as date) as launched_on
    from line_products
    anti join delivered_products using (product_id)
)

select * from final
