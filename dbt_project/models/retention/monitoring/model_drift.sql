with

drift as (
    select * from {{ ref('fed_back_drift') }}
),

final as (
    select
        batch_on as as_of_date,
        feature,
        source,
        statistic,
        threshold,
        is_drifted,
        missing_share,
        reference_missing_share,
        reference_on,
        customers
    from drift
)

select * from final
