{{ current_rows('tickets') }}
