with scores as (
    select * from {{ ref('fed_back_scores') }}
),

customer_value as (
    select * from {{ ref('customer_value') }}
),

final as (
    select
        {{ as_of() }} as as_of_date,
        scores.customer_id,
        scores.churn_probability,
        scores.score_kind,
        scores.model_version,
        scores.scored_on,
        cast({{ days_between('scores.scored_on', as_of()) }} as integer) as score_age_days,
        cast({{ var('horizon_days') }} as integer) as horizon_days,
        scores.driver_1,
        scores.driver_2,
        scores.driver_3,
        scores.probability_alive,
        coalesce(scores.expected_orders_12m, cast(customer_value.orders_12m as double)) as expected_orders_12m,
        case when scores.expected_orders_12m is null then 'last_12_months' else 'purchase_model' end
            as expected_orders_kind,
        customer_value.average_order_profit,
        cast(
            coalesce(scores.expected_orders_12m, cast(customer_value.orders_12m as double))
            * customer_value.average_order_profit
            as decimal(18, 2)
        ) as expected_profit_12m,
        cast(
            scores.churn_probability
            * coalesce(scores.expected_orders_12m, cast(customer_value.orders_12m as double))
            * customer_value.average_order_profit
            as decimal(18, 2)
        ) as profit_at_risk
    from scores
    inner join customer_value on scores.customer_id = customer_value.customer_id
)

select * from final
