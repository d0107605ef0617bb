{{ feedback_rows('policy_values', 'today') }}
