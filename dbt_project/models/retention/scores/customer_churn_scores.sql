with scores as (
    select * from {{ ref('fed_back_scores') }}
),

customer_value as (
    select * from {{ ref('customer_value') }}
),

outlook as (
    select * from {{ ref('fed_back_outlook') }}
),

refusals as (
    select * from {{ ref('int_profiling_refusals') }}
),

valued as (
    select
        scores.*,
        customer_value.average_order_profit,
        coalesce(scores.expected_orders_12m, cast(customer_value.orders_12m as double)) as orders_ahead,
        outlook.expected_profit_12m as forecast_profit_12m,
        outlook.typical_profit_12m as forecast_typical_profit_12m,
        outlook.kept_profit_12m as forecast_kept_profit_12m
    from scores
    inner join customer_value on scores.customer_id = customer_value.customer_id
    left join outlook on scores.customer_id = outlook.customer_id
    anti join refusals on scores.customer_id = refusals.customer_id
),

final as (
    select
        {{ as_of() }} as as_of_date,
        customer_id,
        churn_probability,
        score_kind,
        model_version,
        scored_on,
        cast({{ days_between('scored_on', as_of()) }} as integer) as score_age_days,
        cast({{ var('horizon_days') }} as integer) as horizon_days,
        driver_1,
        driver_2,
        driver_3,
        probability_alive,
        orders_ahead as expected_orders_12m,
        case when expected_orders_12m is null then 'last_12_months' else 'purchase_model' end as expected_orders_kind,
        average_order_profit,
        cast(coalesce(forecast_profit_12m, orders_ahead * average_order_profit) as decimal(18, 2))
            as expected_profit_12m,
        cast(forecast_typical_profit_12m as decimal(18, 2)) as typical_profit_12m,
        case when forecast_profit_12m is null then 'orders_and_average' else 'forecast' end as expected_profit_kind,
        cast(coalesce(forecast_kept_profit_12m, forecast_profit_12m, orders_ahead * average_order_profit) as decimal(18, 2))
            as kept_profit_12m,
        cast(
            churn_probability * coalesce(forecast_profit_12m, orders_ahead * average_order_profit) as decimal(18, 2)
        ) as profit_at_risk
    from valued
)

select * from final
