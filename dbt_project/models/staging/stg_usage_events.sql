{{ current_rows('usage_events') }}
