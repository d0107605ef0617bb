with

consents as (
    select
        *,
        row_number() over (
            partition by customer_id, channel, basis order by changed_at, granted
        ) as change_number
    from {{ ref('stg_consents') }}
),

seen as (
    {{ at_snapshots('consents', 'changed_on') }}
),

standing as (
    select
        snapshot_on,
        customer_id,
        channel,
        basis,
        max_by(granted, change_number) as is_granted,
        min(age_days) filter (where not granted) as days_since_withdrawal
    from seen
    group by snapshot_on, customer_id, channel, basis
),

final as (
    select
        snapshot_on,
        customer_id,
        cast(count(*) filter (where is_granted and basis is distinct from 'profiling') as integer)
            as consented_channels,
        min(days_since_withdrawal) as days_since_consent_withdrawal
    from standing
    group by snapshot_on, customer_id
)

select * from final
