{{ current_rows('erasure_requests') }}
