with situation as (
    select * from {{ ref('customer_situation') }}
    where former_owner_id is not null
),

opportunities as (
    select * from {{ ref('stg_opportunities') }}
    where closed_at is null
),

dim_customer as (
    select * from {{ ref('dim_customer') }}
),

erasure_requests as (
    select distinct customer_id from {{ ref('stg_erasure_requests') }}
),

quotations as (
    select
        customer_id,
        string_agg(
            opportunity_id || ': ' || coalesce(cast(quoted_amount as string), 'no amount') || ', '
            || coalesce(stage, 'no stage') || coalesce(', expected ' || cast(expected_close_on as string), ''),
            '; '
            order by expected_close_on asc nulls last, opportunity_id asc
        ) as quotations
    from opportunities
    group by customer_id
),

final as (
    select
        {{ as_of() }} as as_of_date,
        situation.former_owner_id,
        situation.owner_left_on,
        situation.customer_id,
        situation.owner_id as new_owner_id,
        case
            when situation.open_quotes > 0 then 'close_to_signing'
            when situation.is_doubtful then 'doubtful_data'
            when situation.value_tier = 'core' then 'key_customer'
            else 'other'
        end as handover_class,
        situation.value_tier,
        situation.lifecycle_stage,
        situation.gross_profit_12m,
        situation.churn_probability,
        situation.open_quotes,
        situation.open_quoted_amount,
        situation.next_close_on,
        quotations.quotations,
        situation.open_complaints,
        situation.favourite_category,
        situation.last_order_on,
        situation.last_contact_on,
        situation.is_doubtful as is_unreachable,
        situation.last_order_on is null as is_without_order,
        dim_customer.profile_completeness,
        coalesce(situation.last_contact_on > situation.owner_left_on, false) as is_taken_up
    from situation
    left join quotations on situation.customer_id = quotations.customer_id
    left join dim_customer on situation.customer_id = dim_customer.customer_id
    left join erasure_requests on situation.customer_id = erasure_requests.customer_id
    where erasure_requests.customer_id is null
)

select * from final
