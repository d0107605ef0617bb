{{ config(materialized='table') }}

with customers as (
    {{ current_rows('customers', of_customers=false) }}
),

final as (
    select customer_id
    from customers
    where is_test
)

select * from final
