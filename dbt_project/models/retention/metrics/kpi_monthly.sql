{#- metric: numerator and denominator in retention_metrics_monthly; a sum has no denominator.
    What each is called, and what is wanted of it, stands in the seed kpi_target. -#}
{%- set metrics = {
    'churn_rate': ('churned_customers', 'customers_at_start'),
    'service_churn_rate': ('silent_units', 'settled_units'),
    'win_back_rate': ('won_back_customers', 'churned_at_start'),
    'revenue_retention': ('retained_amount', 'amount_year_before'),
    'repeat_purchase_rate': ('repeat_buyers', 'buyers'),
    'second_purchase_rate': ('second_buyers', 'first_buyers'),
    'nps': ('100 * (promoters - detractors)', 'nps_answers'),
    'csat': ('satisfied_answers', 'csat_answers'),
    'first_contact_resolution': ('tickets_solved_at_once', 'followed_tickets'),
    'return_rate': ('returned_amount', 'net_amount'),
    'net_amount': ('net_amount', none),
    'orders': ('orders', none),
    'average_order_value': ('net_amount', 'orders'),
    'profit_amount': ('profit_amount', none),
    'new_customers': ('new_customers', none),
    'list_completion_rate': ('list_tasks_done', 'list_tasks'),
} -%}
{#- metric: the measure of controlled_comparison -#}
{%- set compared_metrics = {'retention_change': 'retention_rate', 'churn_change': 'churn_rate'} -%}

with monthly as (
    select * from {{ ref('retention_metrics_monthly') }}
),

kpi_target as (
    select * from {{ ref('kpi_target') }}
),

controlled_comparison as (
    select * from {{ ref('controlled_comparison') }}
    where activity_kind = 'all'
),

long as (
    {%- for metric, (numerator, denominator) in metrics.items() %}
    select
        month,
        is_finished,
        '{{ metric }}' as metric,
        cast({{ numerator }} as decimal(18, 2)) as numerator,
        cast({{ denominator or 'null' }} as decimal(18, 2)) as denominator,
        cast({{ metric }} as double) as value,
        cast(null as string) as verdict
    from monthly
    union all
    {%- endfor %}
    {%- for metric, measure in compared_metrics.items() %}
    select
        month,
        true as is_finished,
        '{{ metric }}' as metric,
        null as numerator,
        null as denominator,
        relative_change as value,
        verdict
    from controlled_comparison
    where measure = '{{ measure }}'
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

compared as (
    select
        long.*,
        kpi_target.theme,
        kpi_target.title,
        kpi_target.unit,
        kpi_target.higher_is_better,
        year_before.value as value_year_before,
        case kpi_target.target_kind
            when 'level' then cast(kpi_target.target as double)
            when 'year_before' then round(cast(kpi_target.target as double) * year_before.value, 6)
        end as target
    from long
    inner join kpi_target on long.metric = kpi_target.metric
    left join long as year_before
        on long.metric = year_before.metric and long.month = {{ months_after('year_before.month', 12) }}
),

final as (
    select
        month,
        metric,
        theme,
        title,
        unit,
        numerator,
        denominator,
        value,
        value_year_before,
        target,
        higher_is_better,
        case
            -- a comparison meets its target when the whole interval does, not when its middle happens to
            when verdict = 'reached' then true
            when verdict = 'missed' then false
            when verdict is null and higher_is_better then value >= target
            when verdict is null then value <= target
        end as is_target_met,
        is_finished
    from compared
)

select * from final
