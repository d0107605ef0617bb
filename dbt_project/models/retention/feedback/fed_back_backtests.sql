{{ feedback_rows('backtests', 'until') }}
