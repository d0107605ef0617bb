with listed as (
    select * from {{ ref('retention_list') }}
    where arm = 'treatment'
),

candidates as (
    select
        list_row_id,
        occasion_on,
        occasion_is_private
    from {{ ref('list_candidates') }}
),

contacts as (
    select * from {{ ref('dim_customer_contact') }}
    where contact_kind = 'customer'
),

contact_channel as (
    select * from {{ ref('contact_channel') }}
),

contactability as (
    select * from {{ ref('customer_contactability') }}
),

final as (
    select
        listed.as_of_date,
        listed.channel,
        listed.list_code,
        listed.list_kind,
        listed.rank,
        listed.list_row_id,
        listed.customer_id,
        contacts.name,
        case contact_channel.needs
            when 'email' then contacts.email
            when 'phone' then contacts.phone
        end as address,
        listed.consent_state,
        contactability.consent_changed_on as consent_on,
        listed.owner_id,
        listed.actor,
        -- here, and only here, the day of a birthday may be told
        case when candidates.occasion_is_private then candidates.occasion_on else listed.due_on end as due_on,
        candidates.occasion_on,
        listed.topic,
        listed.next_action,
        listed.talking_points,
        listed.offer,
        listed.asks_reason
    from listed
    inner join candidates on listed.list_row_id = candidates.list_row_id
    inner join contact_channel on listed.channel = contact_channel.channel
    left join contacts on listed.customer_id = contacts.customer_id
    left join contactability
        on listed.customer_id = contactability.customer_id and listed.channel = contactability.channel
    where
        -- the open list keeps a birthday to the end of its week; wishes do not come late
        (not candidates.occasion_is_private or candidates.occasion_on >= {{ as_of() }})
        -- not known here and never delivered are two things: what the source keeps to itself is looked up there
        and coalesce(listed.is_reachable, true)
)

select * from final
