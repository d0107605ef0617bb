{{ feedback_rows('treatment_effects', 'today') }}
