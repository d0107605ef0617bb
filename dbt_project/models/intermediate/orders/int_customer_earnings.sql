{{ config(materialized='view') }}

with

customer_days as (
    select * from {{ ref('int_customer_days') }}
),

returns as (
    select * from {{ ref('int_returns') }}
),

final as (
    select
        customer_id,
        ordered_on as happened_on,
        true as is_order,
        profit_amount
    from customer_days
    union all
    -- what a return takes back of the profit is lost on the day of the return
    select
        customer_id,
        returned_on as happened_on,
        false as is_order,
        -profit_amount as profit_amount
    from returns
)

select * from final
