with qualified as (
    select * from {{ ref('list_qualified') }}
),

declared as (
    select * from {{ ref('list_declarations') }}
),

contactability as (
    select * from {{ ref('customer_contactability') }}
),

contact_channel as (
    select * from {{ ref('contact_channel') }}
),

routes as (
    select
        qualified.list_code,
        qualified.customer_id,
        contactability.channel,
        contact_channel.contact_cost,
        contact_channel.position,
        declared.needs_consent,
        contactability.consent_state as consent,
        not declared.needs_consent or contactability.consent_state in ('granted', 'not_supplied') as is_permitted,
        contactability.has_address as is_reachable,
        -- the head of department speaks for himself: apologies by text message are none
        qualified.actor = 'department_head' and not contact_channel.is_spoken as is_below_the_actor,
        case contactability.channel
            when qualified.preferred_channel then 0
            when qualified.plan_channel then 1
            else 2
        end as preference
    from qualified
    inner join declared on qualified.list_code = declared.list_code
    inner join contactability on qualified.customer_id = contactability.customer_id
    inner join contact_channel on contactability.channel = contact_channel.channel
    where
        case
            when declared.only_channels is not null
                then position(', ' || contactability.channel || ',' in ', ' || declared.only_channels || ',') > 0
            -- a text message is no call in person
            when qualified.prescribed_channel is not null then contactability.channel = qualified.prescribed_channel
            else
                contact_channel.position is not null
                or contactability.channel = qualified.preferred_channel
                or contactability.channel = qualified.plan_channel
        end
),

-- the one that the action prescribes, else (of those on which a head of department speaks, where it is he who acts) the channel the customer prefers, else the one that suits the plan, else the cheapest, of those that are open
chosen as (
    select *
    from routes
    qualify row_number() over (
        partition by list_code, customer_id
        order by
            is_permitted desc,
            -- a source that delivers no addresses may well have them
            coalesce(is_reachable, true) desc,
            is_below_the_actor asc,
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
            when not is_permitted then 'missing'
            else consent
        end as consent_state,
        is_reachable
    from chosen
)

select * from final
