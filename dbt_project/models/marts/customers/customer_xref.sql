{%- set rounds = 4 -%}
with

customers as (
    select * from {{ ref('stg_customers') }}
),

deliveries as (
    select * from {{ ref('lake_batches') }}
    where table_name = 'customers'
),

details as (
    select * from {{ ref('int_contact_details') }}
),

-- A value that many share is a switchboard or a placeholder: it says nothing of two records being one customer.
shared as (
    select
        customer_id,
        case
            when count(*) over (partition by phone) between 2 and {{ var('duplicate_most_customers') }} then phone
        end as phone,
        case
            when count(*) over (partition by email) between 2 and {{ var('duplicate_most_customers') }} then email
        end as email
    from details
),

linked as (
    select
        customer_id,
        phone,
        email,
        customer_id as identity_id
    from shared
    where phone is not null or email is not null
),

-- The smallest identifier wanders from record to record, by phone and by mail in turn. A chain would have to change
-- between the two {{ 2 * rounds }} times to break.
{% for round in range(1, rounds + 1) -%}
by_phone_{{ round }} as (
    select
        customer_id,
        phone,
        email,
        case
            when phone is null then identity_id
            else min(identity_id) over (partition by phone)
        end as identity_id
    from {{ 'linked' if loop.first else 'by_email_' ~ (round - 1) }}
),

by_email_{{ round }} as (
    select
        customer_id,
        phone,
        email,
        case
            when email is null then identity_id
            else min(identity_id) over (partition by email)
        end as identity_id
    from by_phone_{{ round }}
),

{% endfor -%}
identities as (
    select * from by_email_{{ rounds }}
),

-- Where a record was delivered several times, the first and the last delivery count.
origins as (
    select
        checked.customer_id,
        min_by(deliveries.batch_id, checked._batch) as first_batch_id,
        max_by(deliveries.batch_id, checked._batch) as last_batch_id,
        max_by(deliveries.source, checked._batch) as source,
        min(checked._batch) as first_delivered_for_on,
        max(checked._batch) as last_delivered_for_on
    from {{ ref('checked_customers') }} as checked
    inner join deliveries on checked._batch_id = deliveries.batch_id
    where checked._rule is null and not checked._duplicate and deliveries.is_visible
    group by checked.customer_id
),

final as (
    select
        customers.customer_id,
        coalesce(identities.identity_id, customers.customer_id) as identity_id,
        customers.customer_id = coalesce(identities.identity_id, customers.customer_id) as is_first_record,
        cast(count(*) over (partition by coalesce(identities.identity_id, customers.customer_id)) as integer)
            as records_of_identity,
        case
            when identities.phone is not null and identities.email is not null then 'phone and email'
            when identities.phone is not null then 'phone'
            when identities.email is not null then 'email'
        end as matched_by,
        origins.source,
        origins.first_batch_id,
        origins.last_batch_id,
        origins.first_delivered_for_on,
        origins.last_delivered_for_on
    from customers
    left join identities on customers.customer_id = identities.customer_id
    left join origins on customers.customer_id = origins.customer_id
)

select * from final
