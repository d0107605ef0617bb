{# A task for the owner of a customer whom nobody looks after would wait for ever. #}
select
    list_code,
    customer_id,
    actor
from {{ ref('retention_list') }}
where actor is null or (actor = 'owner' and owner_id is null)
