{{ current_rows('churn_feedback') }}
