{{ feedback_rows('alerts', 'today') }}
