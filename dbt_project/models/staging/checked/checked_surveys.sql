{{ checked_rows('surveys') }}
