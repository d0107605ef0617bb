{{ checked_rows('churn_feedback') }}
