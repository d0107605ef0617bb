-- who is left alone for a quarter is left alone by every list that draws lots
select
    customer_id,
    campaign_cycle
from {{ ref('retention_list') }}
where held_out_of is not null
group by customer_id, campaign_cycle
having
    bool_or(held_out_of = 'all_lists')
    and bool_or(held_out_of <> 'all_lists' or arm <> 'control')
