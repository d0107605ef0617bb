with customers as (
    select * from {{ ref('dim_customer') }}
),

reps as (
    select * from {{ ref('dim_rep') }}
),

consents as (
    select * from {{ ref('int_consents') }}
    where basis = 'marketing'
),

contact_channel as (
    select * from {{ ref('contact_channel') }}
),

erasure_requests as (
    select distinct customer_id from {{ ref('stg_erasure_requests') }}
),

-- a source that keeps no consents says nothing about any customer; one that keeps them and has none says no
supplied as (
    {{ columns_given(ref('source_inventory'), 'consents', {'has_consents': 'granted'}) }}
),

permitted as (
    select
        consents.customer_id,
        bool_or(consents.is_granted) as any_channel,
        bool_or(consents.is_granted and contact_channel.needs = 'email') as by_email,
        bool_or(consents.is_granted and contact_channel.needs = 'phone') as by_phone
    from consents
    left join contact_channel on consents.channel = contact_channel.channel
    group by consents.customer_id
),

final as (
    select
        customers.customer_id,
        reps.acting_rep_id as owner_id,
        reps.acting_team as team,
        erasure_requests.customer_id is null
        and (coalesce(permitted.any_channel, false) or not supplied.has_consents) as may_contact,
        erasure_requests.customer_id is null
        and (coalesce(permitted.by_email, false) or not supplied.has_consents) as may_email,
        erasure_requests.customer_id is null
        and (coalesce(permitted.by_phone, false) or not supplied.has_consents) as may_phone
    from customers
    cross join supplied
    left join reps on customers.owner_id = reps.rep_id
    left join permitted on customers.customer_id = permitted.customer_id
    left join erasure_requests on customers.customer_id = erasure_requests.customer_id
)

select * from final
