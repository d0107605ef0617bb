{{ checked_rows('usage_events') }}
