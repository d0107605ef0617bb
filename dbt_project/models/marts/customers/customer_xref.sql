with

customers as (
    select * from {{ ref('stg_customers') }}
),

deliveries as (
    select * from {{ ref('lake_batches') }}
    where table_name = 'customers'
),

identities as (
    select * from {{ ref('int_identities') }}
),

-- Where a record was delivered several times, the first and the last delivery count.
origins as (
    select
        checked.customer_id,
        min_by(deliveries.batch_id, checked._batch) as first_batch_id,
        max_by(deliveries.batch_id, checked._batch) as last_batch_id,
        max_by(deliveries.source, checked._batch) as source,
        min(checked._batch) as first_delivered_for_on,
        max(checked._batch) as last_delivered_for_on
    from {{ ref('checked_customers') }} as checked
    inner join deliveries on checked._batch_id = deliveries.batch_id
    where checked._rule is null and not checked._duplicate and deliveries.is_visible
    group by checked.customer_id
),

final as (
    select
        customers.customer_id,
        identities.identity_id,
        customers.customer_id = identities.identity_id as is_first_record,
        cast(count(*) over (partition by identities.identity_id) as integer) as records_of_identity,
        identities.matched_by,
        origins.source,
        origins.first_batch_id,
        origins.last_batch_id,
        origins.first_delivered_for_on,
        origins.last_delivered_for_on
    from customers
    inner join identities on customers.customer_id = identities.customer_id
    left join origins on customers.customer_id = origins.customer_id
)

select * from final
