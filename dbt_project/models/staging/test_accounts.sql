{{ config(materialized='table') }}

with customers as (
    select * from {{ ref('delivered_customers') }}
),

final as (
    select customer_id
    from customers
    where is_test
)

select * from final
