with known as (
    select * from {{ ref('int_customers') }}
),

contact_channel as (
    select * from {{ ref('contact_channel') }}
),

consents as (
    select * from {{ ref('stg_consents') }}
),

consent_freshness as (
    select * from {{ ref('consent_freshness') }}
),

customers as (
    select * from {{ ref('stg_customers') }}
),

erasure_requests as (
    select distinct customer_id from {{ ref('stg_erasure_requests') }}
),

details as (
    {{ columns_given(ref('source_inventory'), 'customers', {'has_emails': 'email', 'has_phones': 'phone'}) }}
),

latest_consents as (
    {{ latest_marketing_consents('consents') }}
),

final as (
    select
        known.customer_id,
        contact_channel.channel,
        case
            when not consent_freshness.is_supplied then 'not_supplied'
            when latest_consents.granted then 'granted'
            when not latest_consents.granted then 'withdrawn'
            else 'never_given'
        end as consent,
        latest_consents.changed_on as consent_on,
        case contact_channel.needs
            when 'email' then customers.email is not null or not details.has_emails
            when 'phone' then customers.phone is not null or not details.has_phones
            else true
        end as is_reachable,
        coalesce(customers.preferred_channel = contact_channel.channel, false) as is_preferred
    from known
    cross join contact_channel
    cross join consent_freshness
    cross join details
    left join customers on known.customer_id = customers.customer_id
    left join latest_consents
        on known.customer_id = latest_consents.customer_id and contact_channel.channel = latest_consents.channel
    left join erasure_requests on known.customer_id = erasure_requests.customer_id
    where erasure_requests.customer_id is null
)

select * from final
