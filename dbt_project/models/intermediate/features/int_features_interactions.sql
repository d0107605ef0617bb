with

interactions as (
    select
        interactions.*,
        reps.departed_on as rep_departed_on,
        row_number() over placed as interaction_number,
        lead(interactions.occurred_on) over placed as next_occurred_on
    from {{ ref('stg_interactions') }} as interactions
    left join {{ ref('stg_reps') }} as reps on interactions.owner_id = reps.rep_id
    window placed as (
        partition by interactions.customer_id order by interactions.occurred_at, interactions.interaction_id
    )
),

seen as (
    {{ at_snapshots('interactions', 'occurred_on', within=365) }}
),

final as (
    select
        snapshot_on,
        customer_id,
        cast(count(*) filter (where age_days < 90) as integer) as interactions_90d,
        cast(count(*) as integer) as interactions_365d,
        cast(count(*) filter (where direction = 'inbound') as integer) as inbound_interactions_365d,
        cast(count(*) filter (where outcome in ('reached', 'done')) as integer) as reached_interactions_365d,
        cast(count(*) filter (where outcome = 'refused') as integer) as refused_interactions_365d,
        cast(count(*) filter (where kind = 'revisit') as integer) as revisits_365d,
        -- Promised for a day that has come, and nobody spoke to the customer until then.
        cast(count(*) filter (
            where
            next_follow_up_on < snapshot_on
            and (next_occurred_on is null or next_occurred_on > next_follow_up_on)
        ) as integer) as missed_follow_ups_365d,
        {{ flag('max_by(coalesce(rep_departed_on <= snapshot_on, false), interaction_number)') }}
            as is_last_contact_rep_gone,
        min(age_days) as days_since_interaction,
        min(age_days) filter (where outcome in ('reached', 'done')) as days_since_reached
    from seen
    group by snapshot_on, customer_id
)

select * from final
