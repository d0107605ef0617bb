{{ checked_rows('order_items') }}
