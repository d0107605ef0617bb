with lifecycle_history as (
    select * from {{ ref('lifecycle_history') }}
),

purchases as (
    select * from {{ ref('int_purchases') }}
),

spells as (
    select
        customer_id,
        valid_from as churned_on,
        valid_to as returned_on
    from lifecycle_history
    where stage = 'churned'
),

counted as (
    select
        spells.customer_id,
        spells.churned_on,
        spells.returned_on,
        cast(count(*) filter (where purchases.ordered_on < spells.churned_on) as integer) as orders_before,
        cast(
            count(*) filter (
                where
                    purchases.ordered_on >= spells.returned_on
                    and purchases.ordered_on < {{ days_after('spells.returned_on', 365) }}
            ) as integer
        ) as orders_after
    from spells
    inner join purchases on spells.customer_id = purchases.customer_id
    group by spells.customer_id, spells.churned_on, spells.returned_on
),

final as (
    select
        customer_id,
        churned_on,
        returned_on,
        orders_before,
        case when orders_before = 1 then '1' when orders_before <= 3 then '2-3' else '4+' end as orders_band,
        case
            when {{ days_after('returned_on', 365) }} <= {{ as_of() }} then orders_after
        end as orders_12m_after_return
    from counted
)

select * from final
