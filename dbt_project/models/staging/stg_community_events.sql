{{ current_rows('community_events') }}
