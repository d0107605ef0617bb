with final as (
    select table_name, as_of, batch_id, rows, columns
    from {{ lake_manifests() }}
    where
        table_name in ('{{ contract_tables() | join("', '") }}')
        and rows > 0
        -- the same batches that name a published version: what came for later days alone must not change it
        and coalesce(earliest_on <= {{ as_of() }}, true)
        {%- if var('as_known_then') %}
        and as_of <= {{ as_of() }}
        {%- endif %}
)

select * from final
