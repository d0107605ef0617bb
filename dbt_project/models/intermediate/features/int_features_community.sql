with

-- What a customer does beside buying: one stream, since either alone is thin.
activities as (
    select
        customer_id,
        occurred_on as happened_on,
        'event' as kind,
        false as is_completed
    from {{ ref('stg_community_events') }}
    union all
    select
        customer_id,
        attended_on as happened_on,
        'training' as kind,
        coalesce(completed, false) as is_completed
    from {{ ref('stg_trainings') }}
),

seen as (
    {{ at_snapshots('activities', 'happened_on') }}
),

final as (
    select
        snapshot_on,
        customer_id,
        cast(count(*) filter (where kind = 'event' and age_days < 90) as integer) as community_events_90d,
        cast(count(*) filter (where kind = 'event' and age_days < 365) as integer) as community_events_365d,
        min(age_days) filter (where kind = 'event') as days_since_community_event,
        cast(count(*) filter (where kind = 'training') as integer) as trainings,
        cast(count(*) filter (where kind = 'training' and is_completed) as integer) as trainings_completed,
        min(age_days) filter (where kind = 'training') as days_since_training
    from seen
    group by snapshot_on, customer_id
)

select * from final
