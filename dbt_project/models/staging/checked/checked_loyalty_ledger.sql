{{ checked_rows('loyalty_ledger') }}
