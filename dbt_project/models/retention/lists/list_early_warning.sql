{# The first sign, before the customer is at risk by any rhythm; the plan says by what means to step in. #}
{% call retention_list(
    title='Early warning',
    who='Customers, not churned, with a sign of trouble: a business account silent, low satisfaction, late payments, use halved, a jump of the risk',
    goal='early_warning',
    cadence='warning',
    plan_for='warning_kind',
    topic='warning',
    occasion='warning_kind',
    precedence=55,
    acted='1 - churn_probability',
    rank='coalesce(churn_probability, 0) * coalesce(expected_profit_12m, 0)',
    ranked_by='profit of 12 months at risk (home currency)'
) %}
    warning_kind is not null
{% endcall %}
