with

trainings as (
    select * from {{ ref('stg_trainings') }}
),

final as (
    select
        training_id,
        customer_id,
        attended_on,
        course,
        completed as is_completed,
        score,
        cast(row_number() over (partition by customer_id order by attended_at, training_id) as integer)
            as training_number
    from trainings
)

select * from final
