{{ checked_rows('returns') }}
