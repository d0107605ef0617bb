{# Every published table with a customer in it is here, or tests/code/test_refusals.py says which facts it keeps
   (docs/adr/0008). Who refused is asked of the source again: a table that forgot int_profiling_refusals is found, and so is
   a slip in that one. #}
{%- set without_the_row = [
    ref('customer_churn_scores'), ref('customer_return_scores'), ref('customer_outlook'), ref('churn_reasons'),
    ref('reason_evidence'), ref('rescue_plan'), ref('customer_preferences'), ref('customer_needs'),
    ref('customer_segments'), ref('customer_tags'), ref('tier_history'), ref('customer_behaviour'),
    ref('revisit_plan'), ref('silent_business_accounts'),
] -%}
{#- Tables that keep facts of them beside columns that would judge them: those are NULL, and the tier is that of everybody. -#}
{%- set without_the_columns = {
    ref('customer_value'): [
        'profit_rank', 'frequency_rank', 'recency_rank', 'monetary_rank', 'profit_score', 'frequency_score',
        'recency_score', 'monetary_score', 'value_score', 'discount_dependency', "nullif(value_tier, 'general')",
        "nullif(grade_vip, 'normal')"
    ],
    ref('customer_profile'): [
        'churn_or_return_probability', "nullif(reason_code, 'unknown')", 'value_score', "nullif(value_tier, 'general')",
        "nullif(grade_vip, 'normal')", 'favourite_category', 'next_best_category', 'needs'
    ],
    ref('handover_pack'): ["nullif(value_tier, 'general')"],
    ref('customer_follow_up'): ["nullif(value_tier, 'general')"],
    ref('retention_list'): [
        "nullif(list_kind, 'duty')", 'churn_or_return_probability', 'value_at_risk', 'expected_gain', 'priority',
        'reason_confidence', "nullif(reason_code, 'unknown')", 'value_tier', 'driver_1', 'driver_2', 'driver_3',
        'next_best_category'
    ],
    ref('retention_list_suppressed'): ['priority', 'value_at_risk', 'value_tier'],
} -%}
with refused as (
    select customer_id from {{ ref('stg_erasure_requests') }}
    union
    select customer_id
    from {{ ref('stg_consents') }}
    where basis = 'profiling'
    group by customer_id
    having
        max(case when not granted then changed_at end) is not null
        and coalesce(
            max(case when granted then changed_at end) <= max(case when not granted then changed_at end), true
        )
),

told as (
    {%- for table in without_the_row %}
    select
        '{{ table.identifier }}' as table_name,
        customer_id
    from {{ table }}
    union all
    {%- endfor %}
    {%- for table, columns in without_the_columns.items() %}
    select
        '{{ table.identifier }}' as table_name,
        customer_id
    from {{ table }}
    where
        {%- for column in columns %}
        {{ 'or ' if not loop.first }}{{ column }} is not null
        {%- endfor %}
    union all
    {%- endfor %}
    -- what is owed is owed to them as well
    select
        'channel_export' as table_name,
        exported.customer_id
    from {{ ref('channel_export') }} as exported
    inner join {{ ref('retention_list') }} as listed on exported.list_row_id = listed.list_row_id
    where listed.list_kind <> 'duty'
)

select
    told.table_name,
    told.customer_id
from told
inner join refused on told.customer_id = refused.customer_id
