{{ current_rows('products', of_customers=false) }}
