{{ checked_rows('campaign_members') }}
