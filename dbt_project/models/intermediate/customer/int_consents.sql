with identities as (
    select * from {{ ref('int_identities') }}
),

-- an objection to profiling is one, on whatever channel it was spoken
choices as (
    select
        consents.customer_id,
        identities.identity_id,
        coalesce(consents.basis, 'marketing') as basis,
        case when consents.basis = 'profiling' then '*' else consents.channel end as channel,
        consents.granted,
        consents.changed_at,
        consents.changed_on
    from {{ ref('stg_consents') }} as consents
    inner join identities on consents.customer_id = identities.customer_id
),

-- of two words of one moment the refusal counts
said_by_record as (
    select *
    from choices
    qualify row_number() over (partition by customer_id, basis, channel order by changed_at desc, granted asc) = 1
),

said_by_person as (
    select
        identity_id,
        basis,
        channel,
        granted,
        changed_on
    from said_by_record
    qualify row_number() over (
        partition by identity_id, basis, channel order by changed_at desc, granted asc, customer_id asc
    ) = 1
),

-- a refusal follows the person to the other records; a consent stays with the record that gave it
final as (
    select
        identities.customer_id,
        said_by_person.basis,
        said_by_person.channel,
        coalesce(said_by_record.granted, false) and said_by_person.granted as is_granted,
        case
            when said_by_record.customer_id is null or (said_by_record.granted and not said_by_person.granted)
                then said_by_person.changed_on
            else said_by_record.changed_on
        end as changed_on
    from identities
    inner join said_by_person on identities.identity_id = said_by_person.identity_id
    left join said_by_record
        on
            identities.customer_id = said_by_record.customer_id
            and said_by_person.basis = said_by_record.basis
            and said_by_person.channel = said_by_record.channel
    where said_by_record.customer_id is not null or not said_by_person.granted
)

select * from final
