{{ current_rows('consents') }}
