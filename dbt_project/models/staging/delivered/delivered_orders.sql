{{ current_rows('orders', of_customers=false) }}
