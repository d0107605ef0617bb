-- Two records of a person are one row of a list; what is owed for two reasons is owed twice.
select
    retention_list.list_code,
    customer_xref.identity_id
from {{ ref('retention_list') }} as retention_list
inner join {{ ref('customer_xref') }} as customer_xref on retention_list.customer_id = customer_xref.customer_id
group by
    retention_list.list_code,
    customer_xref.identity_id,
    case when retention_list.list_kind = 'duty' then coalesce(retention_list.occasion, '') else '' end
having count(*) > 1
