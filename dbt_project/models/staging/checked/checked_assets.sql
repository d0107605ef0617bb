{{ checked_rows('assets') }}
