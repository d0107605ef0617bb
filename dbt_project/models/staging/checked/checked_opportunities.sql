{{ checked_rows('opportunities') }}
