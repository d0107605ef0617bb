with manifests as (
    select * from {{ lake_manifests() }}
),

final as (
    select
        table_name,
        as_of,
        batch_id,
        source,
        file,
        rows,
        columns,
        extra_columns,
        parts,
        earliest_on,
        -- exactly the batches that name a published version: what came for later days alone must not change it
        rows > 0 and coalesce(earliest_on <= {{ as_of() }}, true)
        {%- if var('as_known_then') %} and as_of <= {{ as_of() }}{% endif %} as is_visible
    from manifests
    where table_name in ('{{ contract_tables() | join("', '") }}')
)

select * from final
