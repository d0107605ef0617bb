with erasure_requests as (
    select distinct customer_id from {{ ref('stg_erasure_requests') }}
),

consents as (
    select * from {{ ref('int_consents') }}
    where basis = 'profiling'
),

final as (
    select
        customer_id,
        'erasure' as rule,
        cast(null as date) as objected_on
    from erasure_requests
    union all
    select
        consents.customer_id,
        'profiling_objection' as rule,
        consents.changed_on as objected_on
    from consents
    anti join erasure_requests on consents.customer_id = erasure_requests.customer_id
    where not consents.is_granted
)

select * from final
