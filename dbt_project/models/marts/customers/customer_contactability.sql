with

customers as (
    select * from {{ ref('dim_customer') }}
),

contact_channel as (
    select * from {{ ref('contact_channel') }}
),

consents as (
    select * from {{ ref('int_consents') }}
    where basis = 'marketing'
),

erasure_requests as (
    select distinct customer_id from {{ ref('stg_erasure_requests') }}
),

-- a source that keeps no consents says nothing about any customer; one that keeps them and has none says no
kept as (
    {{ columns_given(ref('source_inventory'), 'consents', {'has_consents': 'granted'}) }}
),

routes as (
    select
        customers.customer_id,
        contact_channel.channel,
        contact_channel.channel = customers.preferred_channel as is_preferred,
        case contact_channel.needs
            when 'email' then customers.has_email
            when 'phone' then customers.has_phone
            else true
        end as has_address,
        case
            when not kept.has_consents then 'not_supplied'
            when consents.is_granted then 'granted'
            when consents.is_granted is not null then 'withdrawn'
            else 'never_given'
        end as consent_state,
        consents.changed_on as consent_changed_on,
        erasure_requests.customer_id is not null as is_erased
    from customers
    cross join contact_channel
    cross join kept
    left join consents
        on customers.customer_id = consents.customer_id and contact_channel.channel = consents.channel
    left join erasure_requests on customers.customer_id = erasure_requests.customer_id
),

judged as (
    select
        *,
        case
            when is_erased then 'erasure'
            when not has_address then 'no_address'
            when consent_state = 'withdrawn' then 'consent_withdrawn'
            when consent_state = 'never_given' then 'no_consent'
        end as blocked_by
    from routes
),

final as (
    select
        customer_id,
        channel,
        is_preferred,
        has_address,
        consent_state,
        consent_changed_on,
        blocked_by is null as may_be_contacted,
        blocked_by
    from judged
)

select * from final
