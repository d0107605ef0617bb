with

history as (
    select
        *,
        lag(stage) over (partition by customer_id order by valid_from) as previous_stage
    from {{ ref('lifecycle_history') }}
),

final as (
    select
        {{ month_start('valid_from') }} as month,
        coalesce(previous_stage, 'none') as from_stage,
        stage as to_stage,
        cast(count(distinct customer_id) as integer) as customers,
        cast(count(*) as integer) as transitions,
        last_day({{ month_start('valid_from') }}) <= {{ as_of() }} as is_finished
    from history
    group by {{ month_start('valid_from') }}, coalesce(previous_stage, 'none'), stage
)

select * from final
