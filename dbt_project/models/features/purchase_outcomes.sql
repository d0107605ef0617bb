{#- days ahead: those that models/forecasts/forecast.py may learn -#}
{%- set horizons = [90, 180, 365] -%}

with

features as (
    select
        snapshot_on,
        customer_id
    from {{ ref('purchase_features') }}
),

snapshots as (
    select * from {{ ref('snapshots') }}
    where not is_scoring
),

customer_days as (
    select * from {{ ref('int_customer_days') }}
),

earnings as (
    select * from {{ ref('int_customer_earnings') }}
),

earned as (
    select
        snapshots.snapshot_on,
        earnings.customer_id,
        {% for days in horizons -%}
        sum(earnings.profit_amount) filter (
            where earnings.happened_on <= {{ days_after('snapshots.snapshot_on', days) }}
        ) as profit_next_{{ days }}d{{ ',' if not loop.last }}
        {% endfor %}
    from earnings
    inner join snapshots
        on
            earnings.happened_on > snapshots.snapshot_on
            and earnings.happened_on <= {{ days_after('snapshots.snapshot_on', horizons | max) }}
    group by snapshots.snapshot_on, earnings.customer_id
),

final as (
    select
        features.snapshot_on,
        features.customer_id,
        cast({{ days_between('features.snapshot_on', 'customer_days.next_ordered_on') }} as integer)
            as days_to_next_order,
        cast({{ days_between('features.snapshot_on', as_of()) }} as integer) as days_observed,
        {% for days in horizons -%}
        cast(case
            when {{ days_after('features.snapshot_on', days) }} <= {{ as_of() }}
                then coalesce(earned.profit_next_{{ days }}d, 0)
        end as decimal(18, 2)) as profit_next_{{ days }}d{{ ',' if not loop.last }}
        {% endfor %}
    from features
    inner join snapshots on features.snapshot_on = snapshots.snapshot_on
    inner join customer_days on {{ is_last_order_day('features') }}
    left join earned
        on features.snapshot_on = earned.snapshot_on and features.customer_id = earned.customer_id
)

select * from final
