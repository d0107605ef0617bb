{# The day itself stays on the restricted side: the open list says that a birthday is near, not when. #}
{% call retention_list(
    title='Birthday wishes',
    who='Customers, not churned, whose birthday comes within the days of birthday_lead_days',
    kind='care',
    goal='care_birthday',
    cadence='greeting',
    topic="'Birthday'",
    occasion="'birthday ' || cast(extract(year from next_birthday_on) as string)",
    occasion_on='next_birthday_on',
    occasion_is_private=true,
    cooling_days=300,
    precedence=40,
    rank='value_score',
    ranked_by='value of the customer (0-100)'
) %}
    lifecycle_stage not in ('prospect', 'churned')
    and next_birthday_on <= {{ days_after('as_of_date', var('birthday_lead_days')) }}
{% endcall %}
