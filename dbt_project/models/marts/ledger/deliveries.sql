with

lake_batches as (
    select * from {{ ref('lake_batches') }}
    where is_visible
),

final as (
    select
        table_name,
        batch_id,
        source,
        as_of as delivered_for_on,
        cast(rows as bigint) as rows,
        earliest_on
    from lake_batches
)

select * from final
