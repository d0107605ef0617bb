{{ feedback_rows('scores', 'today') }}
