{{ config(materialized='view') }}

with

customers as (
    select * from {{ ref('stg_customers') }}
),

-- One way of writing each: only digits of a number and, since one source writes the country and another does not, the
-- last nine of them.
written as (
    select
        customer_id,
        lower(trim(email)) as email,
        {{ digits('phone') }} as digits,
        right({{ digits('phone') }}, 9) as phone,
        birth_date
    from customers
),

judged as (
    select
        *,
        {{ matches('email', '^[^@ ]+@[^@ ]+[.][^@ ]+$') }} as is_email_plausible,
        -- noughts behind a country code are a placeholder as well
        length(digits) between 7 and 15 and phone <> repeat(left(phone, 1), length(phone)) as is_phone_plausible
    from written
),

final as (
    select
        customer_id,
        case when is_email_plausible then email end as email,
        case when is_phone_plausible then phone end as phone,
        email is not null as has_email,
        phone is not null as has_phone,
        is_email_plausible,
        is_phone_plausible,
        birth_date <= {{ as_of() }} as is_birth_date_plausible
    from judged
)

select * from final
