{{ checked_rows('trainings') }}
