{{ current_rows('surveys') }}
