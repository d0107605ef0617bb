{# Two orders missed (准流失): before the third, somebody asks why. Once a month, by telephone, and nothing is sold. #}
{% call retention_list(
    title='Monthly call: two orders missed, ask why',
    who='Quasi-churned customers (准流失客戶), once a calendar month',
    kind='care',
    goal='quasi_churn_call',
    cadence='monthly_call',
    only_channels=['phone'],
    occasion='substr(cast(as_of_date as string), 1, 7)',
    cooling_days=21,
    precedence=30,
    rank='gross_profit_12m',
    ranked_by='profit of the last 12 months (home currency)'
) %}
    lifecycle_stage = 'quasi_churned'
{% endcall %}
