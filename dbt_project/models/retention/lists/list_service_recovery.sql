{# Whoever complains is owed an answer before anybody sells him anything: the lists that sell leave him out meanwhile. #}
{% call retention_list(
    title='Complaint first',
    who='Customers with an open complaint, or with one that was solved badly within badly_solved_days',
    kind='duty',
    needs=[['tickets.kind']],
    goal='service_recovery',
    cadence='service',
    plan_for="case when open_complaints > 0 then 'open_complaint' else 'badly_solved' end",
    topic='complaint_subject',
    occasion="case when open_complaints > 0 then 'complaint of ' || cast(oldest_complaint_on as string) else 'badly solved on ' || cast(badly_solved_on as string) end",
    occasion_on='coalesce(oldest_complaint_on, badly_solved_on)',
    rank=days_between('coalesce(oldest_complaint_on, badly_solved_on)', 'as_of_date'),
    ranked_by='days since the complaint was opened, or badly solved'
) %}
    open_complaints > 0
    or badly_solved_on >= {{ days_after('as_of_date', '-' ~ var('badly_solved_days')) }}
{% endcall %}
