with situation as (
    select * from {{ ref('customer_situation') }}
    where churned_on is not null
),

final as (
    select
        {{ as_of() }} as as_of_date,
        situation.customer_id,
        situation.churned_on,
        cast({{ days_between('situation.churned_on', as_of()) }} as integer) as days_since_churn,
        situation.return_probability,
        situation.score_kind,
        situation.model_version,
        cast(
            round(percent_rank() over (order by situation.return_probability asc) * 100) as integer
        ) as return_score,
        situation.return_orders_12m,
        situation.return_profit_12m,
        cast(situation.return_probability * situation.return_profit_12m as decimal(18, 2)) as expected_return_profit,
        situation.value_tier,
        situation.reason_code,
        situation.winback_step,
        situation.owner_id
    from situation
    where situation.return_probability is not null
)

select * from final
