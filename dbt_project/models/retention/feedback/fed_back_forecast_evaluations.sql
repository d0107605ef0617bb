{{ feedback_rows('forecast_evaluations', 'until') }}
