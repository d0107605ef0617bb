{%- set rounds = 4 -%}
with

known as (
    select customer_id from {{ ref('int_customers') }}
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
final as (
    select
        known.customer_id,
        coalesce(identities.identity_id, known.customer_id) as identity_id,
        case
            when identities.phone is not null and identities.email is not null then 'phone and email'
            when identities.phone is not null then 'phone'
            when identities.email is not null then 'email'
        end as matched_by
    from known
    left join by_email_{{ rounds }} as identities on known.customer_id = identities.customer_id
)

select * from final
