with values_of_policies as (
    select * from {{ ref('fed_back_policy_values') }}
),

final as (
    select
        {{ as_of() }} as as_of_date,
        outcome,
        policy,
        value,
        lower,
        upper,
        treated_share,
        cost,
        customers,
        members
    from values_of_policies
)

select * from final
