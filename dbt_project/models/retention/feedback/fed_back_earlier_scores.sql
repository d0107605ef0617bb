{{ feedback_rows('scores', var('score_jump_days')) }}
