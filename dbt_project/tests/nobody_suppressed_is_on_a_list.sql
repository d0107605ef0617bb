-- Rules about the customer keep him off every list, an objection to profiling off all but what is owed, the others off the
-- list they name.
select
    retention_list.list_code,
    retention_list.customer_id,
    retention_list_suppressed.rule
from {{ ref('retention_list') }} as retention_list
inner join {{ ref('retention_list_suppressed') }} as retention_list_suppressed
    on
        retention_list.customer_id = retention_list_suppressed.customer_id
        and (
            retention_list.list_code = retention_list_suppressed.list_code
            or retention_list_suppressed.rule in ('erasure', 'test_account')
            or (retention_list_suppressed.rule = 'profiling_objection' and retention_list.list_kind <> 'duty')
        )
