-- Quarantine, never loss: every row that a source delivered stands in exactly one place.
select
    as_of,
    table_name,
    extracted,
    accepted,
    quarantined,
    duplicate
from {{ ref('row_ledger') }}
where extracted <> accepted + quarantined + duplicate
