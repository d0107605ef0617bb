{% call retention_list(
    title='Nearly at the next member grade',
    who='Members, not churned, who lack no more points for the next grade than upgrade_points_share of what it takes',
    needs=[['loyalty_ledger.points']],
    goal='upgrade',
    cadence='news',
    precedence=85,
    topic="'Member grade ' || next_grade",
    occasion='next_grade',
    rank='value_score',
    ranked_by='value of the customer (0-100)'
) %}
    lifecycle_stage not in ('prospect', 'churned')
    and is_near_next_grade
{% endcall %}
