{{ checked_rows('consents') }}
