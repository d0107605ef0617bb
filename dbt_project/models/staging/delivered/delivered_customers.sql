{{ current_rows('customers', of_customers=false) }}
