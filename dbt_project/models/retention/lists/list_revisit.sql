{# Revisits that are due (回訪), of those who may leave and of those who left; everybody else's are in revisit_plan. #}
{% call retention_list(
    title='Revisit: at risk or gone, and due',
    who='Customers at risk (watch, quasi-churned, or likely to leave) or churned, whose revisit is due by their tier',
    kind='care',
    needs=[['interactions.occurred_at']],
    goal='revisit',
    cadence='revisit',
    plan_for="case when lifecycle_stage = 'churned' then 'churned' else 'at_risk' end",
    topic='revisit_topic',
    occasion="'due on ' || cast(revisit_due_on as string)",
    occasion_on='revisit_due_on',
    cooling_days=21,
    precedence=60,
    rank="case value_tier when 'core' then 2000 when 'potential' then 1000 else 0 end + least(revisit_days_overdue, 999)",
    ranked_by='tier, then days overdue'
) %}
    revisit_due_on is not null
    and (
        lifecycle_stage in ('watch', 'quasi_churned', 'churned')
        or churn_probability >= {{ var('save_from_probability') }}
    )
{% endcall %}
