{# Customers who still buy but may stop. Those for whom less than three quarters of their own rhythm has gone
   by are left in peace: a call before anything is due teaches them to wait for one. Acting turns some who would not
   have ordered into some who do, so that an order won is worth the difference between the two, not what is expected
   of customers of whom nobody knows which they are (docs/adr/0021). #}
{% call retention_list(
    title='At risk of leaving and worth keeping',
    who='Customers who will rather leave than not, have used up three quarters of their rhythm, and whose keeping pays',
    goal='save',
    cadence='save',
    at_stake='churn_probability * kept_profit_12m',
    worth='kept_profit_12m',
    anyway='1 - churn_probability',
    acted='1 - churn_probability * (1 - effect)'
) %}
    lifecycle_stage not in ('prospect', 'churned')
    and churn_probability >= {{ var('save_from_probability') }}
    and overdue_ratio >= {{ var('save_from_overdue_ratio') }}
{% endcall %}
