with

customers as (
    select * from {{ ref('stg_customers') }}
),

contacts as (
    select * from {{ ref('stg_contacts') }}
),

erasure_requests as (
    select distinct customer_id from {{ ref('stg_erasure_requests') }}
),

people as (
    select
        customer_id,
        'customer' as contact_kind,
        customer_id as contact_id,
        name,
        email,
        phone,
        birth_date,
        company_name,
        job_title as role
    from customers
    union all
    select
        contacts.customer_id,
        'person' as contact_kind,
        contacts.contact_id,
        contacts.name,
        contacts.email,
        contacts.phone,
        cast(null as date) as birth_date,
        customers.company_name,
        contacts.role
    from contacts
    left join customers on contacts.customer_id = customers.customer_id
),

final as (
    select people.*
    from people
    anti join erasure_requests on people.customer_id = erasure_requests.customer_id
)

select * from final
