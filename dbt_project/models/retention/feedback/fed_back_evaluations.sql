{{ feedback_rows('evaluations', 'until') }}
