-- Every customer who came or left in a month is in that month's flows: active = previous + new + resurrected - lost.
select
    month,
    opening,
    new,
    resurrected,
    lost,
    closing
from {{ ref('lifecycle_statement') }}
where opening + new + resurrected - lost <> closing
