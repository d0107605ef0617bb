{%- set last_tenure_month = 36 -%}
{%- set last_order_day = 20 -%}
with

history as (
    select * from {{ ref('lifecycle_history') }}
    where stage <> 'prospect'
),

customer_days as (
    select * from {{ ref('int_customer_days') }}
),

-- the first time a customer leaves: what comes after a return is another life
first_falls as (
    select
        customer_id,
        min(valid_from) as churned_on
    from history
    where stage = 'churned'
    group by customer_id
),

-- The month of the last order, not the one in which churned is reached: that lies three intervals later, hence says more
-- of the rule than of the customer (on the sample a third of all falls were in the ninth month, three times the segment's 88 days).
lives as (
    select
        customer_days.customer_id,
        first_falls.customer_id is not null as is_lost,
        cast(floor(
            {{ days_between('min(customer_days.first_ordered_on)', 'max(customer_days.ordered_on)') }} / 30.4375
        ) as integer) as last_month
    from customer_days
    left join first_falls on customer_days.customer_id = first_falls.customer_id
    where first_falls.churned_on is null or customer_days.ordered_on < first_falls.churned_on
    group by customer_days.customer_id, first_falls.customer_id
),

-- a month of tenure counts for who ordered after it or made the last order in it
by_tenure as (
    select
        'tenure_month' as node_kind,
        numbers.n + 1 as node,
        count(*) filter (where lives.last_month > numbers.n or lives.is_lost) as at_risk,
        count(*) filter (where lives.last_month = numbers.n and lives.is_lost) as lost,
        count(*) filter (where lives.last_month = numbers.n and not lives.is_lost) as undecided
    from lives
    inner join {{ numbers(last_tenure_month) }} on lives.last_month >= numbers.n
    group by numbers.n
),

-- after an order day: the next one came before the customer counted as churned, or did not
outcomes as (
    select
        customer_days.customer_id,
        least(customer_days.order_day_number, {{ last_order_day }}) as node,
        bool_or(history.stage = 'churned') as is_lost,
        max(customer_days.next_ordered_on) as next_ordered_on
    from customer_days
    left join history
        on
            customer_days.customer_id = history.customer_id
            and customer_days.ordered_on < history.valid_from
            and (customer_days.next_ordered_on is null or customer_days.next_ordered_on > history.valid_from)
            and history.stage = 'churned'
    group by customer_days.customer_id, customer_days.order_day_number
),

by_order as (
    select
        'order_day' as node_kind,
        node,
        count(*) filter (where coalesce(is_lost, false) or next_ordered_on is not null) as at_risk,
        count(*) filter (where is_lost) as lost,
        count(*) filter (where not coalesce(is_lost, false) and next_ordered_on is null) as undecided
    from outcomes
    group by node
),

nodes as (
    select * from by_tenure
    union all
    select * from by_order
),

rated as (
    select
        *,
        cast(lost as double) / nullif(at_risk, 0) as hazard,
        cast(sum(lost) over (partition by node_kind) as double)
        / nullif(sum(at_risk) over (partition by node_kind), 0) as overall_hazard,
        -- logarithms as decimals: a product over rows that comes out the same in any order
        sum(
            case when lost < at_risk then cast(ln(1 - cast(lost as double) / at_risk) as decimal(38, 9)) end
        ) over (partition by node_kind order by node) as log_survival,
        max(case when lost = at_risk and at_risk > 0 then 1 else 0 end) over (partition by node_kind order by node)
            as is_nobody_left
    from nodes
),

final as (
    select
        node_kind,
        cast(node as integer) as node,
        cast(at_risk as integer) as at_risk,
        cast(lost as integer) as lost,
        cast(undecided as integer) as undecided,
        round(hazard, 6) as hazard,
        -- greatest() passes over a NULL: where nobody got there it would say 0
        case when at_risk > 0 then round(greatest({{ wilson_end('hazard', 'at_risk', '-') }}, 0), 6) end as hazard_lower_95,
        round({{ wilson_end('hazard', 'nullif(at_risk, 0)', '+') }}, 6) as hazard_upper_95,
        round(overall_hazard, 6) as overall_hazard,
        coalesce({{ wilson_end('hazard', 'nullif(at_risk, 0)', '-') }} > overall_hazard, false) as is_key_node,
        case when is_nobody_left = 1 then 0 else round(exp(cast(coalesce(log_survival, 0) as double)), 6) end as still_there_share
    from rated
)

select * from final
