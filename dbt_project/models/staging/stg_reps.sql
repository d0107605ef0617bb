{{ current_rows('reps') }}
