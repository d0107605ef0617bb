{{ current_rows('reps', of_customers=false) }}
