{# Valuable old customers (有價值的老客戶) whom nobody has spoken to for long: no occasion is needed, and none is sold. #}
{% call retention_list(
    title='Valuable old customers not heard of for long',
    who='Core customers of more than a year, not churned, not spoken to for keep_in_touch_days and past their rhythm',
    kind='care',
    needs=[['interactions.occurred_at']],
    goal='keep_in_touch',
    cadence='in_touch',
    topic="'Thank you for being with us since ' || cast(extract(year from first_order_on) as string)",
    cooling_days=90,
    rank='gross_profit_12m',
    ranked_by='profit of the last 12 months (home currency)'
) %}
    revisit_due_on is not null  -- contacts are known
    and lifecycle_stage not in ('prospect', 'churned')
    and value_tier = 'core'
    and first_order_on <= {{ days_after('as_of_date', -365) }}
    and days_overdue > 0
    and coalesce(last_contact_on, first_order_on) <= {{ days_after('as_of_date', '-' ~ var('keep_in_touch_days')) }}
{% endcall %}
