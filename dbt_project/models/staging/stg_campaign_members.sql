{{ current_rows('campaign_members') }}
