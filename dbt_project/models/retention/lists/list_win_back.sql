{# Customers who left and whose return would pay. Whoever would have come back anyway is no gain, so what acting
   brings is the rise of the chance to return, not the chance itself. #}
{% call retention_list(
    title='Left, likely to return and worth it',
    goal='win_back',
    about='return',
    probability='return_probability',
    at_stake='return_profit_12m',
    gain='return_probability * assumed_effect * return_profit_12m',
    redemption='least(1, return_probability * (1 + assumed_effect))',
    cadence='win_back'
) %}
    lifecycle_stage = 'churned'
{% endcall %}
