{{ current_rows('campaigns', of_customers=false) }}
