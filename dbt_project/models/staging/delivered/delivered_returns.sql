{{ current_rows('returns', of_customers=false) }}
