with lifecycle as (
    select * from {{ ref('customer_lifecycle') }}
),

customer_value as (
    select * from {{ ref('customer_value') }}
),

dim_customer as (
    select * from {{ ref('dim_customer') }}
),

reps as (
    select * from {{ ref('dim_rep') }}
),

scores as (
    select * from {{ ref('customer_churn_scores') }}
),

reasons as (
    select * from {{ ref('churn_reasons') }}
),

churn_spells as (
    select * from {{ ref('churn_spells') }}
),

return_rates as (
    select * from {{ ref('return_rates') }}
),

return_chances as (
    select
        churn_spells.customer_id,
        return_rates.return_probability,
        return_rates.orders_12m_after_return
    from churn_spells
    inner join return_rates
        on
            churn_spells.orders_band = return_rates.orders_band
            and {{ days_between('churn_spells.churned_on', as_of()) }} >= return_rates.from_day
            and {{ days_between('churn_spells.churned_on', as_of()) }} < return_rates.to_day
    where churn_spells.returned_on is null
),

-- nobody who has left is given a task: the manager takes over until the customers are handed on
owners as (
    select
        reps.rep_id,
        case
            when not reps.is_departed then reps.rep_id
            when not managers.is_departed then managers.rep_id
        end as owner_id
    from reps
    left join reps as managers on reps.manager_id = managers.rep_id
),

final as (
    select
        lifecycle.customer_id,
        lifecycle.lifecycle_stage,
        lifecycle.first_order_on,
        lifecycle.last_order_on,
        cast(lifecycle.days_since_last_order as integer) as days_since_last_order,
        cast(lifecycle.expected_interval_days as integer) as expected_interval_days,
        cast(lifecycle.missed_intervals as integer) as missed_intervals,
        lifecycle.overdue_ratio,
        lifecycle.expected_next_order_on,
        cast(lifecycle.days_overdue as integer) as days_overdue,
        customer_value.value_tier,
        customer_value.average_order_profit,
        cast(
            cast(customer_value.monetary_total as double) / nullif(customer_value.orders_total, 0) as decimal(18, 2)
        ) as average_order_amount,
        customer_value.gross_profit_12m,
        scores.churn_probability,
        scores.expected_orders_12m,
        scores.expected_profit_12m,
        return_chances.return_probability,
        return_chances.orders_12m_after_return as return_orders_12m,
        cast(
            return_chances.orders_12m_after_return * customer_value.average_order_profit as decimal(18, 2)
        ) as return_profit_12m,
        case
            when scores.customer_id is not null then scores.score_kind
            when return_chances.customer_id is not null then 'rate'
        end as score_kind,
        case
            when scores.customer_id is not null then scores.model_version
            when return_chances.customer_id is not null then 'return_rates'
        end as model_version,
        case
            when scores.customer_id is not null then scores.score_age_days
            when return_chances.customer_id is not null then 0
        end as score_age_days,
        case
            when scores.customer_id is not null then scores.driver_1
            else 'no order for ' || cast(lifecycle.days_since_last_order as string) || ' days'
        end as driver_1,
        case
            when scores.customer_id is not null then scores.driver_2
            else 'usually orders every ' || cast(lifecycle.expected_interval_days as string) || ' days'
        end as driver_2,
        case
            when scores.customer_id is not null then scores.driver_3
            else reasons.evidence_1
        end as driver_3,
        coalesce(reasons.reason_code, 'unknown') as reason_code,
        coalesce(reasons.reason_kind, 'unknown') as reason_kind,
        reasons.confidence as reason_confidence,
        owners.owner_id,
        dim_customer.preferred_channel,
        coalesce(dim_customer.is_test, false) as is_test
    from lifecycle
    left join customer_value on lifecycle.customer_id = customer_value.customer_id
    left join dim_customer on lifecycle.customer_id = dim_customer.customer_id
    left join scores on lifecycle.customer_id = scores.customer_id
    left join reasons on lifecycle.customer_id = reasons.customer_id
    left join return_chances on lifecycle.customer_id = return_chances.customer_id
    left join owners on dim_customer.owner_id = owners.rep_id
)

select * from final
