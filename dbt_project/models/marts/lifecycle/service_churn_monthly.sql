{%- set customer_stages = ['new', 'active', 'watch', 'quasi_churned'] -%}
with

lifecycle_history as (
    select * from {{ ref('lifecycle_history') }}
),

order_days as (
    select * from {{ ref('int_order_days') }}
),

supplied as (
    {{ columns_given(ref('source_inventory'), 'orders', {'has_assets': 'asset_id'}) }}
),

-- a vehicle that changes hands is one vehicle: whoever brings it in, it is not silent
unit_months as (
    select
        unit_id,
        {{ month_start('ordered_on') }} as month_start_on,
        bool_or(unit_id <> customer_id) as is_asset
    from order_days
    group by unit_id, {{ month_start('ordered_on') }}
),

followed as (
    select
        *,
        lead(month_start_on) over (partition by unit_id order by month_start_on) as next_month_on,
        row_number() over (partition by unit_id order by month_start_on) as place
    from unit_months
),

months as (
    {{ month_spine('ordered_on', 'order_days') }}
),

-- how many customers are there when a month begins: all that came in before, less all that had gone by then
stage_steps as (
    select
        {{ month_start('valid_from') }} as month_start_on,
        1 as step
    from lifecycle_history
    where stage in ('{{ customer_stages | join("', '") }}')
    union all
    select
        {{ month_start('valid_to') }} as month_start_on,
        -1 as step
    from lifecycle_history
    where stage in ('{{ customer_stages | join("', '") }}') and valid_to is not null
),

stage_changes as (
    select
        month_start_on,
        sum(step) as customers
    from stage_steps
    group by month_start_on
),

stocks as (
    select
        months.month_start_on,
        sum(stage_changes.customers) over earlier as customers_at_start
    from months
    left join stage_changes on months.month_start_on = stage_changes.month_start_on
    window earlier as (order by months.month_start_on rows between unbounded preceding and 1 preceding)
),

-- who leaves, comes back and leaves again within a month was a customer at its start once
churned as (
    select
        {{ month_start('spells.valid_from') }} as month_start_on,
        count(distinct spells.customer_id) as customers
    from lifecycle_history as spells
    inner join lifecycle_history as at_start
        on
            spells.customer_id = at_start.customer_id
            and at_start.stage in ('{{ customer_stages | join("', '") }}')
            and at_start.valid_from < {{ month_start('spells.valid_from') }}
            and at_start.valid_to >= {{ month_start('spells.valid_from') }}
    where spells.stage = 'churned'
    group by {{ month_start('spells.valid_from') }}
),

-- a unit is silent at the end of every month from the twelfth after its last order to the one before its next
silence_steps as (
    select
        {{ months_after('month_start_on', 12) }} as month_start_on,
        is_asset,
        1 as step
    from followed
    where next_month_on is null or next_month_on > {{ months_after('month_start_on', 12) }}
    union all
    select
        next_month_on as month_start_on,
        is_asset,
        -1 as step
    from followed
    where next_month_on > {{ months_after('month_start_on', 12) }}
),

silence_changes as (
    select
        month_start_on,
        sum(step) as units,
        sum(step) filter (where is_asset) as assets
    from silence_steps
    group by month_start_on
),

-- first orders: how many units the company has in its care, silent ones among them
known_changes as (
    select
        month_start_on,
        count(*) as units
    from followed
    where place = 1
    group by month_start_on
),

silent as (
    select
        months.month_start_on,
        sum(coalesce(silence_changes.units, 0)) over until_then as units,
        sum(coalesce(silence_changes.assets, 0)) over until_then as assets,
        sum(coalesce(known_changes.units, 0)) over until_then as known_units,
        {{ months_after('min(months.month_start_on) over ()', 12) }} <= months.month_start_on as is_known
    from months
    left join silence_changes on months.month_start_on = silence_changes.month_start_on
    left join known_changes on months.month_start_on = known_changes.month_start_on
    window until_then as (order by months.month_start_on rows between unbounded preceding and current row)
),

settled as (
    select
        month_start_on,
        count(*) as units,
        count(*) filter (where is_asset) as assets
    from unit_months
    group by month_start_on
),

measured as (
    select
        months.month_start_on,
        months.month_end_on <= {{ as_of() }} as is_finished,
        {{ measure('stocks.customers_at_start') }} as customers_at_start,
        {{ measure('churned.customers') }} as churned_customers,
        {{ measure('silent.known_units') }} as known_units,
        case when silent.is_known then {{ measure('silent.units') }} end as silent_units,
        {{ measure('settled.units') }} as settled_units,
        case when silent.is_known and supplied.has_assets then {{ measure('silent.assets') }} end as silent_assets,
        case when supplied.has_assets then {{ measure('settled.assets') }} end as settled_assets
    from months
    cross join supplied
    left join stocks on months.month_start_on = stocks.month_start_on
    left join churned on months.month_start_on = churned.month_start_on
    left join silent on months.month_start_on = silent.month_start_on
    left join settled on months.month_start_on = settled.month_start_on
),

final as (
    select
        month_start_on as month,
        is_finished,
        silent_units,
        settled_units,
        {{ ratio('silent_units', 'settled_units') }} as service_churn_rate,
        silent_assets,
        settled_assets,
        {{ ratio('silent_assets', 'settled_assets') }} as service_churn_rate_of_assets,
        known_units,
        {{ ratio('silent_units', 'known_units') }} as silent_share,
        customers_at_start,
        churned_customers,
        {{ ratio('churned_customers', 'customers_at_start') }} as churn_rate
    from measured
)

select * from final
