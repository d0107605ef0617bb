{# Openly and in person (公开透明的沟通): one task for every core customer who left, whether or not it pays. #}
{% call retention_list(
    title='Core customers who left: one talk in person',
    who='Churned customers who were, and by value still are, among the core',
    kind='care',
    goal='one_to_one',
    cadence='one_to_one',
    only_channels=['phone', 'visit'],
    holdout=false,
    precedence=25,
    occasion="'left on ' || cast(churned_on as string)",
    occasion_on='churned_on',
    cooling_days=365,
    rank='value_score',
    ranked_by='value of the customer (0-100)'
) %}
    lifecycle_stage = 'churned'
    and value_tier = 'core'
{% endcall %}
