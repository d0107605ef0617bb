{{ feedback_rows('outlook', 'today') }}
