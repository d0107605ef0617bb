with

spells as (
    select * from {{ ref('int_customer_severity') }}
),

first_days as (
    select * from {{ ref('int_customer_days') }}
    where order_day_number = 1
),

customers as (
    select * from {{ ref('int_customers') }}
),

stages as (
    {{ stage_spells('spells', 'first_days', ['customer_id']) }}
),

prospects as (
    select
        customers.customer_id,
        'prospect' as stage,
        customers.known_on as valid_from,
        first_days.ordered_on as valid_to
    from customers
    left join first_days on customers.customer_id = first_days.customer_id
    where customers.known_on < coalesce(first_days.ordered_on, {{ days_after(as_of(), 1) }})
),

final as (
    select
        customer_id,
        stage,
        valid_from,
        valid_to
    from prospects
    union all
    select
        customer_id,
        stage,
        valid_from,
        valid_to
    from stages
)

select * from final
