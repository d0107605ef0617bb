{# Customers who left and whose return would pay. Whoever would have come back anyway is no gain: acting raises the
   odds to return by the share `effect`, and only the rise of the probability counts. What a return is worth leaves out
   what they bring who return later by themselves (docs/adr/0021). #}
{% call retention_list(
    title='Left, likely to return and worth it',
    who='Churned customers whose return is likely enough to pay, step by step (rescue_step)',
    goal='win_back',
    cadence='win_back',
    at_stake='return_profit_12m',
    worth='return_profit_12m',
    anyway='return_probability',
    acted='return_probability * (1 + effect) / (1 + return_probability * effect)',
    stepped=true
) %}
    lifecycle_stage = 'churned'
{% endcall %}
