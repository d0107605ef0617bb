-- A column that no source can deliver would never be missed, or always.
select
    wanted.list_code,
    wanted.need_no,
    wanted.table_name,
    wanted.column_name
from {{ ref('list_needs') }} as wanted
left join {{ ref('source_inventory') }} as columns
    on
        wanted.table_name = columns.table_name
        and wanted.column_name = columns.column_name
        and columns.kind = 'contract'
where columns.table_name is null
