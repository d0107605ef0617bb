{{ current_rows('returns') }}
