with

customers as (
    select * from {{ ref('stg_customers') }}
),

orders as (
    select * from {{ ref('int_orders') }}
),

returns as (
    select * from {{ ref('stg_returns') }}
    where customer_id is not null
),

sightings as (
    select
        customer_id,
        created_on as seen_on,
        true as is_recorded
    from customers
    union all
    select
        customer_id,
        min(ordered_on) as seen_on,
        false as is_recorded
    from orders
    group by customer_id
    union all
    select
        customer_id,
        min(returned_on) as seen_on,
        false as is_recorded
    from returns
    group by customer_id
),

final as (
    select
        customer_id,
        min(seen_on) as known_on,
        bool_or(is_recorded) as is_recorded
    from sightings
    group by customer_id
)

select * from final
