{{ feedback_rows('monitoring', 'until') }}
