with

backtests as (
    select * from {{ ref('fed_back_backtests') }}
),

latest as (
    select max(batch_on) as batch_on from backtests
),

final as (
    select
        backtests.batch_on as as_of_date,
        coalesce(backtests.model_kind, 'churn') as model_kind,
        backtests.scope,
        backtests.role,
        backtests.metric,
        backtests.cutoff_on,
        backtests.horizon_days,
        backtests.cutoffs,
        backtests.value,
        backtests.lower,
        backtests.upper,
        backtests.is_best_baseline
    from backtests
    inner join latest on backtests.batch_on = latest.batch_on
)

select * from final
