{{ current_rows('interactions') }}
