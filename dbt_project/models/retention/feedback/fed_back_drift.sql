{{ feedback_rows('drift', 'today') }}
