{{ checked_rows('contacts') }}
