with

history as (
    select
        *,
        lag(stage) over (partition by customer_id order by valid_from) as previous_stage,
        lag(valid_to) over (partition by customer_id, stage order by valid_from) as left_before_on
    from {{ ref('lifecycle_history') }}
),

changes as (
    select
        {{ month_start('valid_from') }} as month,
        coalesce(previous_stage, 'none') as from_stage,
        stage as to_stage,
        count(distinct customer_id) as customers,
        count(*) as transitions
    from history
    group by {{ month_start('valid_from') }}, coalesce(previous_stage, 'none'), stage
),

-- whoever came into a stage for the first time in a month was not counted as being in it before
flows as (
    select
        {{ month_start('valid_from') }} as month,
        stage,
        1 as entered,
        0 as went,
        case when left_before_on >= {{ month_start('valid_from') }} then 0 else 1 end as came
    from history
    union all
    select
        {{ month_start('valid_to') }} as month,
        stage,
        0 as entered,
        1 as went,
        0 as came
    from history
    where valid_to is not null
),

standing as (
    select
        month,
        stage,
        coalesce(sum(sum(entered) - sum(went)) over (
            partition by stage order by month rows between unbounded preceding and 1 preceding
        ), 0) + sum(came) as customers_in_stage
    from flows
    group by month, stage
),

final as (
    select
        changes.month,
        changes.from_stage,
        changes.to_stage,
        cast(changes.customers as integer) as customers,
        cast(changes.transitions as integer) as transitions,
        cast(standing.customers_in_stage as integer) as customers_in_stage,
        case when {{ months_after('changes.month', 1) }} <= {{ days_after(as_of(), 1) }} then {{ ratio('changes.customers', 'standing.customers_in_stage') }} end
            as conversion_rate,
        {{ months_after('changes.month', 1) }} <= {{ days_after(as_of(), 1) }} as is_finished
    from changes
    left join standing on changes.month = standing.month and changes.from_stage = standing.stage
)

select * from final
