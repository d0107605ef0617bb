-- Quarantine, never loss: every row that a source delivered stands in exactly one place.
select *
from {{ ref('row_ledger') }}
where extracted <> accepted + quarantined + duplicate
