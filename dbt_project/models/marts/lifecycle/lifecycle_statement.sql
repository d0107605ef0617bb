with

history as (
    select
        *,
        lag(stage) over (partition by customer_id order by valid_from) as previous_stage
    from {{ ref('lifecycle_history') }}
    where stage <> 'prospect'
),

months as (
    {{ month_spine('valid_from', 'history') }}
),

-- Counted on the day, not carried forward: what makes opening + new + resurrected - lost = closing a test.
stocks as (
    select
        months.month_start_on,
        count(history.customer_id) as customers
    from months
    left join history
        on history.stage <> 'churned'
        and history.valid_from <= least(last_day(months.month_start_on), {{ as_of() }})
        and (history.valid_to is null or history.valid_to > least(last_day(months.month_start_on), {{ as_of() }}))
    group by months.month_start_on
),

flows as (
    select
        {{ month_start('valid_from') }} as month_start_on,
        count(*) filter (where previous_stage is null) as new_customers,
        count(*) filter (where previous_stage = 'churned') as resurrected,
        count(*) filter (where stage = 'churned') as lost
    from history
    group by {{ month_start('valid_from') }}
),

final as (
    select
        stocks.month_start_on as month,
        cast(coalesce(lag(stocks.customers) over (order by stocks.month_start_on), 0) as integer) as opening,
        cast(coalesce(flows.new_customers, 0) as integer) as new,
        cast(coalesce(flows.resurrected, 0) as integer) as resurrected,
        cast(coalesce(flows.lost, 0) as integer) as lost,
        cast(stocks.customers as integer) as closing,
        last_day(stocks.month_start_on) <= {{ as_of() }} as is_finished
    from stocks
    left join flows on stocks.month_start_on = flows.month_start_on
)

select * from final
