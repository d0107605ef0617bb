{{ checked_rows('surveys', extra_rules=[{
    'rule': 'score_outside_scale',
    'column': 'score',
    'breaks': "survey = 'csat' and score not between 1 and 5",
    'reason': 'score: expected 1 to 5 for csat, found another figure',
}]) }}
