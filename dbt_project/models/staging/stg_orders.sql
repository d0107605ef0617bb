{{ current_rows('orders') }}
