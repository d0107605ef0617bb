{% call retention_list(
    title='Something new for who bought or asked for the like',
    who='Customers who keep buying of a category in which something new came within launch_days, or, unless churned, who asked for it',
    needs=[['products.category', 'order_lines.category']],
    goal='launch_match',
    cadence='news',
    precedence=85,
    plan_for='launch_basis',
    topic="'New in ' || launch_category",
    occasion="launch_category || ': ' || launch_title",
    occasion_on='launched_on',
    rank='value_score',
    ranked_by='value of the customer (0-100)'
) %}
    launch_basis = 'bought'
    or (launch_basis = 'asked' and lifecycle_stage <> 'churned')
{% endcall %}
