{{ current_rows('campaigns') }}
