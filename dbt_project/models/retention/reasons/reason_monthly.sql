with reasons as (
    select * from {{ ref('churn_reasons') }}
),

reason_in_set as (
    select * from {{ ref('reason_in_set') }}
),

churn_spells as (
    select * from {{ ref('churn_spells') }}
    where returned_on is null
),

left_for as (
    select
        churn_spells.customer_id,
        {{ month_start('churn_spells.churned_on') }} as month,
        -- nobody asks why, of who may not be profiled; that one more left stays true
        coalesce(reasons.reason_code, 'unknown') as reason_code,
        coalesce(reasons.reason_side, 'unknown') as reason_side,
        coalesce(reasons.reason_kind, 'unknown') as reason_kind
    from churn_spells
    left join reasons on churn_spells.customer_id = reasons.customer_id
),

counted as (
    select
        left_for.month,
        reason_in_set.cause_set,
        reason_in_set.cause_code,
        min(reason_in_set.cause_phrase) as cause_phrase,
        case when min(left_for.reason_side) = max(left_for.reason_side) then min(left_for.reason_side) else 'mixed' end
            as reason_side,
        count(*) as customers,
        count(*) filter (where left_for.reason_kind = 'stated') as stated_customers,
        count(*) filter (where left_for.reason_kind = 'inferred') as inferred_customers
    from left_for
    inner join reason_in_set on left_for.reason_code = reason_in_set.reason_code
    group by left_for.month, reason_in_set.cause_set, reason_in_set.cause_code
),

final as (
    select
        month,
        cause_set,
        cause_code,
        cause_phrase,
        reason_side,
        cast(customers as integer) as customers,
        cast(stated_customers as integer) as stated_customers,
        cast(inferred_customers as integer) as inferred_customers,
        cast(sum(customers) over (partition by month, cause_set) as integer) as still_away_customers,
        {{ ratio('customers', 'sum(customers) over (partition by month, cause_set)') }} as share_of_still_away,
        last_day(month) <= {{ as_of() }} as is_finished
    from counted
)

select * from final
