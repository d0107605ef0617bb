{{ current_rows('products') }}
