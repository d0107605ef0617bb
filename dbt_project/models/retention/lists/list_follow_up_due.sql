{# What was promised, or asked for: a quotation, a complaint that was solved. A forgotten promise drives customers away
   (忘記一些對客戶的回訪), so nothing but the customer's own objection holds it back. #}
{% call retention_list(
    title='Follow-ups owed',
    who='Customers to whom a contact was promised for today or before, and those whose quotation or solved complaint is waiting for one',
    kind='duty',
    needs=[['interactions.next_follow_up_at', 'opportunities.quoted_at', 'tickets.resolved_at']],
    goal='follow_up',
    cadence='follow_up',
    plan_for='follow_up_rule',
    action='follow_up_action',
    topic="case follow_up_rule when 'promised' then 'What was promised' when 'open_quote' then 'The open quotation' else 'The complaint that was solved' end",
    occasion="follow_up_rule || ' ' || follow_up_ref",
    occasion_on='next_follow_up_on',
    due_on='next_follow_up_on',
    rank='follow_up_days_overdue',
    ranked_by='days overdue'
) %}
    follow_up_rule in ('promised', 'complaint_resolved', 'open_quote')
{% endcall %}
