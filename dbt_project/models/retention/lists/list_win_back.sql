{# Customers who left and whose return would pay. Whoever would have come back anyway is no gain: acting raises the
   odds to return by the share assumed_effect, and only the rise of the probability counts. #}
{% set probability_if_acted = 'return_probability * (1 + assumed_effect) / (1 + return_probability * assumed_effect)' %}
{% call retention_list(
    title='Left, likely to return and worth it',
    who='Churned customers whose return is likely enough to pay, step by step (rescue_step)',
    goal='win_back',
    cadence='win_back',
    at_stake='return_profit_12m',
    gain='(' ~ probability_if_acted ~ ' - return_probability) * return_profit_12m',
    redemption=probability_if_acted,
    stepped=true
) %}
    lifecycle_stage = 'churned'
{% endcall %}
