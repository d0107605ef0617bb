{# Follow-ups that nobody promised and that the customer's status asks for (seed follow_up_rule). Core customers who left
   have a list of their own: one_to_one. #}
{% call retention_list(
    title='Follow-ups by status',
    who='Customers for whom the status brings a follow-up: first order, return, refusal, no answer, prospects of an owner',
    kind='care',
    needs=[['interactions.outcome', 'customers.owner_id']],
    goal='follow_up',
    cadence='greeting',
    action='follow_up_action',
    plan_for='follow_up_rule',
    topic='follow_up_action',
    occasion="follow_up_rule || ' ' || follow_up_ref",
    occasion_on='next_follow_up_on',
    cooling_days=30,
    precedence=80,
    rank='value_score',
    ranked_by='value of the customer (0-100)'
) %}
    follow_up_rule not in ('promised', 'complaint_resolved', 'open_quote', 'lost_core_customer')
{% endcall %}
