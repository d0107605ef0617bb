{#- name of the dimension: the column that it divides by -#}
{%- set dimensions = {'all': "'all'", 'region': 'region', 'owner': 'owner_id', 'team': 'team', 'tier': 'value_tier'} -%}

with scores as (
    select * from {{ ref('customer_churn_scores') }}
),

customers as (
    select * from {{ ref('dim_customer') }}
),

reps as (
    select * from {{ ref('dim_rep') }}
),

customer_value as (
    select * from {{ ref('customer_value') }}
),

scored as (
    select
        scores.customer_id,
        scores.churn_probability,
        scores.expected_profit_12m,
        scores.profit_at_risk,
        cast(
            cast(customer_value.monetary_total as double) / nullif(customer_value.orders_total, 0)
            * scores.expected_orders_12m as decimal(18, 2)
        ) as expected_amount_12m,
        customers.region,
        customers.owner_id,
        reps.team,
        customer_value.value_tier
    from scores
    inner join customers on scores.customer_id = customers.customer_id
    inner join customer_value on scores.customer_id = customer_value.customer_id
    left join reps on customers.owner_id = reps.rep_id
),

divided as (
    {%- for dimension, column in dimensions.items() %}
    select
        '{{ dimension }}' as dimension,
        coalesce({{ column }}, 'none') as dimension_value,
        scored.*
    from scored
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

summed as (
    select
        dimension,
        dimension_value,
        count(*) as customers,
        count(*) filter (where churn_probability >= {{ var('save_from_probability') }}) as customers_at_risk,
        sum(expected_profit_12m) as expected_profit_12m,
        sum(profit_at_risk) as profit_at_risk,
        sum(cast(churn_probability * expected_amount_12m as decimal(18, 2))) as amount_at_risk,
        max(profit_at_risk) as largest_profit_at_risk
    from divided
    group by dimension, dimension_value
),

final as (
    select
        {{ as_of() }} as as_of_date,
        dimension,
        dimension_value,
        cast(customers as integer) as customers,
        cast(customers_at_risk as integer) as customers_at_risk,
        cast(expected_profit_12m as decimal(18, 2)) as expected_profit_12m,
        cast(profit_at_risk as decimal(18, 2)) as profit_at_risk,
        {{ ratio('profit_at_risk', 'expected_profit_12m') }} as share_at_risk,
        cast(amount_at_risk as decimal(18, 2)) as amount_at_risk,
        {{ ratio('expected_profit_12m', 'sum(expected_profit_12m) over (partition by dimension)') }}
            as share_of_expected_profit,
        {{ ratio('profit_at_risk', 'sum(profit_at_risk) over (partition by dimension)') }} as share_of_profit_at_risk,
        {{ ratio('largest_profit_at_risk', 'profit_at_risk') }} as share_of_largest_customer,
        cast(
            row_number() over (partition by dimension order by profit_at_risk desc, dimension_value asc) as integer
        ) as rank_in_dimension
    from summed
)

select * from final
