{{ checked_rows('reps') }}
