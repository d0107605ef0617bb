with final as (
    select
        table_name,
        as_of,
        batch_id,
        rows,
        -- fenced by commas on both sides, so that `contains` finds whole names
        ',' || array_to_string(columns, ',') || ',' as columns
    from {{ lake_manifests() }}
    where table_name in ('{{ contract_tables() | join("', '") }}')
)

select * from final
