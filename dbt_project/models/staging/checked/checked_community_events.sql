{{ checked_rows('community_events') }}
