with

community_events as (
    select * from {{ ref('stg_community_events') }}
),

final as (
    select
        event_id,
        customer_id,
        occurred_on,
        kind
    from community_events
)

select * from final
