{{ current_rows('assets') }}
