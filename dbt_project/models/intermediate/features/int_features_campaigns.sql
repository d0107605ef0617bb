with

memberships as (
    select * from {{ ref('stg_campaign_members') }}
    where arm is distinct from 'control'
),

seen as (
    {{ at_snapshots('memberships', 'sent_on', within=365) }}
),

final as (
    select
        snapshot_on,
        customer_id,
        cast(count(*) filter (where age_days < 90) as integer) as campaigns_90d,
        cast(count(*) as integer) as campaigns_365d,
        cast(count(*) filter (where opened_on <= snapshot_on) as integer) as campaigns_opened_365d,
        cast(count(*) filter (where responded_on <= snapshot_on) as integer) as campaigns_answered_365d,
        min(age_days) as days_since_campaign
    from seen
    group by snapshot_on, customer_id
)

select * from final
