with consents as (
    select * from {{ ref('stg_consents') }}
),

-- where two changes carry the same time, the withdrawal counts
latest as (
    select *
    from consents
    where coalesce(basis, 'marketing') = 'marketing'
    qualify row_number() over (partition by customer_id, channel order by changed_at desc, granted asc) = 1
),

final as (
    select
        customer_id,
        channel,
        granted,
        changed_on
    from latest
)

select * from final
