{#- days after churning within which a cohort's returns are counted -#}
{%- set windows = [90, 180, 365] -%}
with

lifecycle_history as (
    select * from {{ ref('lifecycle_history') }}
),

spells as (
    select
        customer_id,
        valid_from as churned_on,
        valid_to as returned_on,
        {{ month_start('valid_from') }} as churned_month_on,
        {{ month_start('valid_to') }} as returned_month_on,
        {{ days_between('valid_from', 'valid_to') }} as days_away
    from lifecycle_history
    where stage = 'churned'
),

first_orders as (
    select valid_from from lifecycle_history
    where stage <> 'prospect'
),

months as (
    {{ month_spine('valid_from', 'first_orders') }}
),

steps as (
    select
        churned_month_on as month_start_on,
        1 as step
    from spells
    union all
    select
        returned_month_on as month_start_on,
        -1 as step
    from spells
    where returned_on is not null
),

changes as (
    select
        month_start_on,
        sum(step) as customers
    from steps
    group by month_start_on
),

stocks as (
    select
        months.month_start_on,
        sum(changes.customers) over (
            order by months.month_start_on rows between unbounded preceding and 1 preceding
        ) as churned_at_start
    from months
    left join changes on months.month_start_on = changes.month_start_on
),

-- won back in the month, of those who were churned when it began
won_back as (
    select
        returned_month_on as month_start_on,
        count(*) as customers,
        sum(days_away) as days_away
    from spells
    where churned_on < returned_month_on
    group by returned_month_on
),

cohorts as (
    select
        churned_month_on as month_start_on,
        count(*) as churned
        {%- for days in windows %},
        count(*) filter (where days_away <= {{ days }}) as returned_{{ days }}d
        {%- endfor %}
    from spells
    group by churned_month_on
),

measured as (
    select
        months.month_start_on,
        months.month_end_on <= {{ as_of() }} as is_finished,
        {{ measure('stocks.churned_at_start') }} as churned_at_start,
        {{ measure('won_back.customers') }} as won_back_customers,
        case when months.month_end_on <= {{ as_of() }} then won_back.days_away end as days_away,
        {{ measure('cohorts.churned') }} as churned_in_month
        {%- for days in windows %},
        {{ measure('cohorts.returned_' ~ days ~ 'd', window_days=days) }} as won_back_{{ days }}d
        {%- endfor %}
    from months
    left join stocks on months.month_start_on = stocks.month_start_on
    left join won_back on months.month_start_on = won_back.month_start_on
    left join cohorts on months.month_start_on = cohorts.month_start_on
),

final as (
    select
        month_start_on as month,
        is_finished,
        churned_at_start,
        won_back_customers,
        {{ ratio('won_back_customers', 'churned_at_start') }} as win_back_rate,
        {{ ratio('days_away', 'won_back_customers') }} as mean_days_away,
        churned_in_month
        {%- for days in windows %},
        won_back_{{ days }}d,
        case when won_back_{{ days }}d is not null then {{ ratio('won_back_' ~ days ~ 'd', 'churned_in_month') }} end
            as win_back_rate_{{ days }}d
        {%- endfor %}
    from measured
)

select * from final
