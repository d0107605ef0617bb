with

alerts as (
    select * from {{ ref('fed_back_alerts') }}
),

final as (
    select
        batch_on as as_of_date,
        model_kind,
        alert,
        subject,
        observed,
        tolerated,
        message
    from alerts
)

select * from final
