{{ current_rows('order_items', of_customers=false) }}
