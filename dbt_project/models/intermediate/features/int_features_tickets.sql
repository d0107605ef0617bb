with

tickets as (
    select
        *,
        row_number() over (partition by customer_id order by resolved_at, ticket_id) as resolution_number
    from {{ ref('stg_tickets') }}
),

seen as (
    {{ at_snapshots('tickets', 'opened_on') }}
),

-- A ticket that was resolved later, or never, was open on the snapshot's day; its outcome was not known.
standing as (
    select
        *,
        resolved_on is null or resolved_on > snapshot_on as is_open
    from seen
),

final as (
    select
        snapshot_on,
        customer_id,
        cast(count(*) filter (where age_days < 90) as integer) as tickets_90d,
        cast(count(*) filter (where age_days < 365) as integer) as tickets_365d,
        cast(count(*) filter (where kind = 'complaint' and age_days < 90) as integer) as complaints_90d,
        cast(count(*) filter (where kind = 'complaint' and age_days < 365) as integer) as complaints_365d,
        cast(count(*) filter (where is_open) as integer) as open_tickets,
        cast(count(*) filter (where is_open and kind = 'complaint') as integer) as open_complaints,
        max(age_days) filter (where is_open) as oldest_open_ticket_days,
        min(age_days) as days_since_ticket,
        min(age_days) filter (where kind = 'complaint') as days_since_complaint,
        cast(max({{ days_between('opened_on', 'resolved_on') }}) filter (
            where not is_open and age_days < 365
        ) as integer) as longest_resolution_days_365d,
        max_by(satisfaction, resolution_number) filter (
            where not is_open and satisfaction is not null
        ) as last_ticket_satisfaction
    from standing
    group by snapshot_on, customer_id
)

select * from final
