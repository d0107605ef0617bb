{# The day itself stays on the restricted side: the open list says in which week a birthday is, not when. So all of a week
   come on the list on one day and leave it on one day, and are due on its Sunday; channel_export is due on the birthday. #}
{% call retention_list(
    title='Birthday wishes',
    who='Customers, not churned, whose birthday is this week, or in a week that begins within the days of birthday_lead_days',
    kind='care',
    needs=[['customers.birth_date']],
    goal='care_birthday',
    cadence='greeting',
    plan_for='value_tier',
    topic="'Birthday'",
    occasion="'birthday ' || cast(extract(year from next_birthday_on) as string)",
    occasion_on='next_birthday_on',
    occasion_is_private=true,
    due_on=week_end('next_birthday_on'),
    cooling_days=300,
    precedence=40,
    rank='value_score',
    ranked_by='value of the customer (0-100)'
) %}
    lifecycle_stage not in ('prospect', 'churned')
    and next_birthday_on <= {{ week_end(days_after('as_of_date', var('birthday_lead_days'))) }}
{% endcall %}
