with erasure_requests as (
    select distinct customer_id from {{ ref('stg_erasure_requests') }}
),

-- the last word on any channel counts, and of two of one moment the refusal
latest_choice as (
    select
        customer_id,
        granted,
        changed_on
    from {{ ref('stg_consents') }}
    where basis = 'profiling'
    qualify row_number() over (partition by customer_id order by changed_at desc, granted asc, channel asc) = 1
),

final as (
    select
        customer_id,
        'erasure' as rule,
        cast(null as date) as objected_on
    from erasure_requests
    union all
    select
        latest_choice.customer_id,
        'profiling_objection' as rule,
        latest_choice.changed_on as objected_on
    from latest_choice
    anti join erasure_requests on latest_choice.customer_id = erasure_requests.customer_id
    where not latest_choice.granted
)

select * from final
