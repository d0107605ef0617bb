with

relationships as (
    select * from {{ ref('int_relationships') }}
    where is_workable
),

contact_details as (
    select * from {{ ref('int_contact_details') }}
),

-- where the source has no such column, its absence says nothing about a customer
supplied as (
    {{ columns_given(ref('source_inventory'), 'customers', {'has_emails': 'email', 'has_phones': 'phone'}) }}
),

-- a value that many share is a switchboard or a placeholder: it says nothing of two customers being one
shared as (
    select
        contact_details.*,
        case when email is not null then count(*) over (partition by email) end as same_email,
        case when phone is not null then count(*) over (partition by phone) end as same_phone,
        case when email is not null then min(customer_id) over (partition by email) end as first_of_email,
        case when phone is not null then min(customer_id) over (partition by phone) end as first_of_phone
    from contact_details
    semi join relationships using (customer_id)
),

judged as (
    select
        relationships.*,
        shared.customer_id is not null as is_recorded,
        case when supplied.has_emails then coalesce(shared.has_email, false) end as has_email,
        case when supplied.has_phones then coalesce(shared.has_phone, false) end as has_phone,
        shared.is_email_plausible,
        shared.is_phone_plausible,
        shared.is_birth_date_plausible,
        coalesce(
            not shared.is_email_plausible or not shared.is_phone_plausible or not shared.is_birth_date_plausible, false
        ) as is_implausible,
        coalesce(shared.same_email between 2 and {{ var('duplicate_most_customers') }}, false) as is_same_email,
        coalesce(shared.same_phone between 2 and {{ var('duplicate_most_customers') }}, false) as is_same_phone,
        case
            when shared.same_phone between 2 and {{ var('duplicate_most_customers') }} then shared.first_of_phone
            when shared.same_email between 2 and {{ var('duplicate_most_customers') }} then shared.first_of_email
        end as duplicate_of,
        case
            when supplied.has_emails or supplied.has_phones
                then not (coalesce(shared.is_email_plausible, false) or coalesce(shared.is_phone_plausible, false))
        end as is_unreachable,
        relationships.conversations = 0
        and relationships.attempts >= {{ var('never_reached_attempts') }} as is_never_reached,
        relationships.lifecycle_stage = 'prospect'
        and relationships.conversations = 0
        and {{ days_between('relationships.known_on', as_of()) }} > {{ var('worthless_after_days') }} as is_without_value
    from relationships
    cross join supplied
    left join shared on relationships.customer_id = shared.customer_id
),

final as (
    select
        customer_id,
        owner_id,
        is_owner_departed,
        has_email,
        has_phone,
        is_email_plausible,
        is_phone_plausible,
        is_birth_date_plausible,
        is_unreachable,
        is_same_email,
        is_same_phone,
        is_same_email or is_same_phone as is_duplicate,
        case when duplicate_of <> customer_id then duplicate_of end as duplicate_of,
        attempts,
        conversations,
        unanswered_attempts,
        last_contact_on,
        is_never_reached,
        is_without_value,
        case
            when is_unreachable then 'unreachable'
            when is_same_email or is_same_phone then 'duplicate'
            when is_implausible then 'implausible'
            when is_never_reached then 'never_reached'
            when is_without_value then 'without_value'
            else 'sound'
        end as verdict
    from judged
    where is_recorded
)

select * from final
