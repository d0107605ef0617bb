with qualified as (
    select * from {{ ref('list_qualified') }}
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

dim_customer as (
    select * from {{ ref('dim_customer') }}
),

-- where the source has no such column, its absence says nothing about a customer
details as (
    select
        coalesce(bool_or(given) filter (where column_name = 'email'), false) as has_emails,
        coalesce(bool_or(given) filter (where column_name = 'phone'), false) as has_phones
    from {{ ref('source_inventory') }}
    where table_name = 'customers'
),

-- where two changes carry the same time, the withdrawal counts
latest_consents as (
    select *
    from consents
    where coalesce(basis, 'marketing') = 'marketing'
    qualify row_number() over (partition by customer_id, channel order by changed_at desc, granted asc) = 1
),

routes as (
    select
        qualified.list_code,
        qualified.customer_id,
        contact_channel.channel,
        contact_channel.contact_cost,
        consent_freshness.is_supplied as has_consents,
        qualified.needs_consent,
        coalesce(latest_consents.granted, false) as is_granted,
        case contact_channel.needs
            when 'email' then dim_customer.has_email or not details.has_emails
            when 'phone' then dim_customer.has_phone or not details.has_phones
            else true
        end as is_reachable,
        case contact_channel.channel
            when qualified.preferred_channel then 0
            when qualified.plan_channel then 1
            else 2
        end as preference,
        contact_channel.position
    from qualified
    cross join contact_channel
    cross join consent_freshness
    cross join details
    left join dim_customer on qualified.customer_id = dim_customer.customer_id
    left join latest_consents
        on qualified.customer_id = latest_consents.customer_id and contact_channel.channel = latest_consents.channel
    where
        contact_channel.position is not null
        or contact_channel.channel = qualified.preferred_channel
        or contact_channel.channel = qualified.plan_channel
),

-- the channel the customer prefers, else the one that suits the plan, else the cheapest, of those that are open
chosen as (
    select *
    from routes
    qualify row_number() over (
        partition by list_code, customer_id
        order by
            is_granted or not needs_consent or not has_consents desc,
            is_reachable desc,
            preference asc,
            position asc,
            channel asc
    ) = 1
),

final as (
    select
        list_code,
        customer_id,
        channel,
        contact_cost,
        case
            when not needs_consent then 'not_needed'
            when not has_consents then 'not_supplied'
            when is_granted then 'granted'
            else 'missing'
        end as consent_state,
        is_reachable
    from chosen
)

select * from final
