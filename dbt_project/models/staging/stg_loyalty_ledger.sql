{{ current_rows('loyalty_ledger') }}
