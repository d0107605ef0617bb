{%- set days = var('satisfaction_window_days') -%}
with

owner_months as (
    select * from {{ ref('int_owner_months') }}
    where is_due
),

interactions as (
    select * from {{ ref('fct_interactions') }}
),

-- where contacts are not delivered, nothing is known of revisits
supplied as (
    select coalesce(bool_or(given), false) as interactions
    from {{ ref('source_inventory') }}
    where table_name = 'interactions'
),

counted as (
    select
        owner_months.month_start_on as month,
        owner_months.month_end_on,
        owner_months.owner_id,
        owner_months.value_tier,
        count(*) as due,
        count(*) filter (where owner_months.is_tried) as done,
        count(*) filter (where owner_months.is_reached) as reached,
        {%- for window in [30, 60, 90] %}
        count(*) filter (where interactions.has_ordered_within_{{ window }}d) as returned_{{ window }}d,
        {%- endfor %}
        count(*) filter (
            where interactions.satisfaction_before is not null and interactions.satisfaction_after is not null
        ) as asked_before_and_after,
        coalesce(sum(interactions.satisfaction_before) filter (where interactions.satisfaction_after is not null), 0)
            as satisfaction_before,
        coalesce(sum(interactions.satisfaction_after) filter (where interactions.satisfaction_before is not null), 0)
            as satisfaction_after
    from owner_months
    left join interactions on owner_months.interaction_id = interactions.interaction_id
    group by
        owner_months.month_start_on, owner_months.month_end_on, owner_months.owner_id, owner_months.value_tier
),

final as (
    select
        month,
        owner_id,
        value_tier,
        due,
        done,
        {{ ratio('done', 'due') }} as completion_rate,
        reached,
        {{ ratio('reached', 'done') }} as reached_rate,
        due - reached as overdue,
        {%- for window in [30, 60, 90] %}
        case when {{ days_after('month_end_on', window) }} <= {{ as_of() }} then returned_{{ window }}d end
            as returned_{{ window }}d,
        case when {{ days_after('month_end_on', window) }} <= {{ as_of() }} then {{ ratio('returned_' ~ window ~ 'd', 'reached') }} end
            as returned_{{ window }}d_rate,
        {%- endfor %}
        case when {{ days_after('month_end_on', days) }} <= {{ as_of() }} then asked_before_and_after end
            as asked_before_and_after,
        case when {{ days_after('month_end_on', days) }} <= {{ as_of() }} then cast(satisfaction_before as bigint) end
            as satisfaction_before,
        case when {{ days_after('month_end_on', days) }} <= {{ as_of() }} then cast(satisfaction_after as bigint) end
            as satisfaction_after,
        case
            when {{ days_after('month_end_on', days) }} <= {{ as_of() }}
                then {{ ratio('(satisfaction_after - satisfaction_before)', 'asked_before_and_after') }}
        end as satisfaction_change
    from counted
    cross join supplied
    where supplied.interactions
)

select * from final
