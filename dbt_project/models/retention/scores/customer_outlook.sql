with outlook as (
    select * from {{ ref('fed_back_outlook') }}
),

customer_value as (
    select * from {{ ref('customer_value') }}
),

refusals as (
    select * from {{ ref('int_profiling_refusals') }}
),

lifecycle as (
    select * from {{ ref('customer_lifecycle') }}
),

-- an order within the longer time is at least as likely as one within the shorter: two models that know nothing of one
-- another may say otherwise, and the one that lists and gates are judged by is believed
sooner as (
    select
        customer_id,
        1 - churn_probability as order_probability,
        horizon_days
    from {{ ref('customer_churn_scores') }}
),

final as (
    select
        {{ as_of() }} as as_of_date,
        outlook.customer_id,
        case
            when sooner.horizon_days <= outlook.order_within_days and outlook.order_probability is not null
                then greatest(outlook.order_probability, sooner.order_probability)
            else outlook.order_probability
        end as order_probability,
        cast(outlook.order_within_days as integer) as order_within_days,
        -- where nothing was learnt the rhythm speaks; where it was, an unlikely order has no day
        case
            when outlook.order_probability is null then lifecycle.expected_next_order_on
            else {{ days_after(as_of(), 'cast(outlook.next_order_days as integer)') }}
        end as expected_next_order_on,
        case
            when outlook.next_order_days is not null then 'forecast'
            when outlook.order_probability is null and lifecycle.expected_next_order_on is not null then 'rhythm'
        end as expected_next_order_basis,
        {{ days_after(as_of(), 'cast(outlook.next_order_days_10 as integer)') }} as earliest_next_order_on,
        {{ days_after(as_of(), 'cast(outlook.next_order_days_90 as integer)') }} as latest_next_order_on,
        case
            when outlook.order_probability is null and lifecycle.expected_next_order_on is null then 'too_little_data'
            when outlook.order_probability is not null and outlook.next_order_days is null then 'unlikely'
        end as no_date_because,
        outlook.next_order_score_kind,
        outlook.next_order_model_version,
        lifecycle.expected_next_order_on as rhythm_next_order_on,
        cast(outlook.expected_profit_12m as decimal(18, 2)) as expected_profit_12m,
        cast(outlook.typical_profit_12m as decimal(18, 2)) as typical_profit_12m,
        outlook.profit_score_kind,
        outlook.profit_model_version
    from outlook
    inner join customer_value on outlook.customer_id = customer_value.customer_id
    inner join lifecycle on outlook.customer_id = lifecycle.customer_id
    left join sooner on outlook.customer_id = sooner.customer_id
    anti join refusals on outlook.customer_id = refusals.customer_id
)

select * from final
