with

members as (
    select distinct
        customer_id,
        {{ days_after('assigned_on', -1) }} as snapshot_on
    from {{ ref('stg_campaign_members') }}
),

customer_days as (
    select * from {{ ref('int_customer_days') }}
),

buyers as (
    select distinct customer_id from customer_days
),

points as (
    select
        customer_id,
        snapshot_on
    from members
    union
    select
        customer_id,
        {{ as_of() }} as snapshot_on
    from buyers
),

signs as (
    select * from {{ ref('int_reason_signs') }}
),

evidence_rule as (
    select * from {{ ref('evidence_rule') }}
),

churn_reason as (
    select * from {{ ref('churn_reason') }}
),

tickets as (
    select * from {{ ref('stg_tickets') }}
    where kind = 'complaint'
),

customers as (
    select * from {{ ref('stg_customers') }}
),

snapshots as (
    select distinct snapshot_on from points
),

first_orders as (
    select
        snapshots.snapshot_on,
        cast(customer_days.profit_amount as double) / customer_days.orders as profit_amount
    from snapshots
    inner join customer_days
        on snapshots.snapshot_on >= customer_days.ordered_on and customer_days.order_day_number = 1
),

average_first_order as (
    {{ average_first_order('first_orders') }}
),

-- the last order day by then knows what came before it
stood as (
    select
        points.customer_id,
        points.snapshot_on,
        customer_days.ordered_on as last_order_on,
        customer_days.first_ordered_on,
        customer_days.order_day_number as order_days,
        customer_days.orders_so_far as orders,
        customer_days.profit_amount_so_far as profit,
        cast({{ days_between('customer_days.ordered_on', 'points.snapshot_on') }} as integer) as recency_days,
        cast({{ days_between('customer_days.first_ordered_on', 'customer_days.ordered_on') }} as integer) as active_days
    from points
    inner join customer_days on {{ is_last_order_day('points') }}
),

bought as (
    select
        points.customer_id,
        points.snapshot_on,
        cast(sum(customer_days.orders) filter (
            where customer_days.ordered_on > {{ days_after('points.snapshot_on', -90) }}
        ) as integer) as orders_90d,
        cast(sum(customer_days.orders) as integer) as orders_365d,
        cast(sum(customer_days.profit_amount) as decimal(18, 2)) as profit_365d
    from points
    inner join customer_days
        on points.customer_id = customer_days.customer_id
        and points.snapshot_on >= customer_days.ordered_on
        and customer_days.ordered_on > {{ days_after('points.snapshot_on', -365) }}
    group by points.customer_id, points.snapshot_on
),

complained as (
    select
        points.customer_id,
        points.snapshot_on,
        cast(count(*) as integer) as complaints_365d,
        cast(count(*) filter (
            where tickets.resolved_on is null or tickets.resolved_on > points.snapshot_on
        ) as integer) as open_complaints
    from points
    inner join tickets
        on points.customer_id = tickets.customer_id
        and points.snapshot_on >= tickets.opened_on
        and tickets.opened_on > {{ days_after('points.snapshot_on', -365) }}
    group by points.customer_id, points.snapshot_on
),

-- five complaints are one sign; signs count from shortly before the last order on, as in reason_evidence
seen as (
    select distinct
        stood.customer_id,
        stood.snapshot_on,
        signs.rule_code,
        signs.reason_code
    from stood
    inner join signs
        on stood.customer_id = signs.customer_id
        and stood.snapshot_on >= signs.observed_on
        and signs.observed_on > {{ days_after('stood.last_order_on', '-' ~ var('evidence_days')) }}
        -- only the last order's own discount is a sign
        and (signs.rule_code <> 'last_order_discounted' or stood.last_order_on = signs.observed_on)
),

-- Bayes' rule with signs taken as independent, in logarithms
weighed as (
    select
        seen.customer_id,
        seen.snapshot_on,
        seen.reason_code,
        sum(cast(ln(evidence_rule.seen_share / evidence_rule.seen_otherwise) as decimal(18, 9)))
        + max(cast(ln(greatest(churn_reason.prior_share, 0.000000001)) as decimal(18, 9))) as log_weight
    from seen
    inner join evidence_rule on seen.rule_code = evidence_rule.rule_code
    inner join churn_reason on seen.reason_code = churn_reason.reason_code
    group by seen.customer_id, seen.snapshot_on, seen.reason_code
),

likeliest as (
    select *
    from weighed
    where log_weight > ln({{ var('unseen_reason_weight') }})
    qualify row_number() over (
        partition by customer_id, snapshot_on order by log_weight desc, reason_code asc
    ) = 1
),

final as (
    select
        stood.snapshot_on,
        stood.customer_id,
        stood.recency_days,
        cast({{ days_between('stood.first_ordered_on', 'stood.snapshot_on') }} as integer) as tenure_days,
        stood.order_days,
        stood.orders,
        coalesce(bought.orders_90d, 0) as orders_90d,
        coalesce(bought.orders_365d, 0) as orders_365d,
        coalesce(bought.profit_365d, 0) as profit_365d,
        round(
            {{ expected_order_profit('stood.profit', 'stood.orders', 'average_first_order.profit_amount') }}, 2
        ) as average_order_profit,
        round(
            stood.recency_days * (stood.order_days - 1 + {{ var('interval_shrinkage') }})
            / cast(stood.active_days + {{ var('interval_shrinkage') }} * {{ var('default_interval_days') }} as double),
            4
        ) as overdue_ratio,
        case
            when {{ is_churned('overdue_ratio') }} then 'win_back'
            when overdue_ratio >= {{ var('save_from_overdue_ratio') }} then 'save'
        end as goal,
        case
            when customers.customer_id is not null then {{ flag('customers.company_name is not null') }}
        end as is_company,
        coalesce(complained.complaints_365d, 0) as complaints_365d,
        coalesce(complained.open_complaints, 0) as open_complaints,
        coalesce(likeliest.reason_code, 'unknown') as sign_of
    from stood
    inner join average_first_order on stood.snapshot_on = average_first_order.snapshot_on
    left join customers on stood.customer_id = customers.customer_id
    left join bought on stood.customer_id = bought.customer_id and stood.snapshot_on = bought.snapshot_on
    left join complained on stood.customer_id = complained.customer_id and stood.snapshot_on = complained.snapshot_on
    left join likeliest on stood.customer_id = likeliest.customer_id and stood.snapshot_on = likeliest.snapshot_on
)

select * from final
