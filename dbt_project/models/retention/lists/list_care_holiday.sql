{# Greetings to all are noise: they go to those whom the tier policy gives more than standard service. #}
{% call retention_list(
    title='Holiday wishes',
    who='Core and potential customers, not churned, before a holiday of holiday_calendar',
    kind='care',
    goal='care_holiday',
    cadence='greeting',
    plan_for='value_tier',
    topic='holiday_title',
    occasion="holiday_code || ' ' || cast(extract(year from holiday_on) as string)",
    occasion_on='holiday_on',
    due_on='holiday_on',
    cooling_days=1,
    precedence=90,
    rank='value_score',
    ranked_by='value of the customer (0-100)'
) %}
    lifecycle_stage not in ('prospect', 'churned')
    and value_tier in ('core', 'potential')
    and holiday_on is not null
{% endcall %}
