{# A reason without a cause in a set would drop out of that set's counts, and one with two would count twice. #}
select
    sets.cause_set,
    reasons.reason_code,
    count(counted.cause_code) as causes
from (select distinct cause_set from {{ ref('reason_in_set') }}) as sets
cross join {{ ref('churn_reason') }} as reasons
left join {{ ref('reason_in_set') }} as counted
    on sets.cause_set = counted.cause_set and reasons.reason_code = counted.reason_code
group by sets.cause_set, reasons.reason_code
having count(counted.cause_code) <> 1
