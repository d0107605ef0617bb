{{ current_rows('order_lines') }}
