with

returns as (
    select * from {{ ref('stg_returns') }}
),

orders as (
    select * from {{ ref('fct_orders') }}
),

reason_words as (
    select * from {{ ref('reason_word') }}
),

erasure_requests as (
    select distinct customer_id from {{ ref('stg_erasure_requests') }}
),

faults as (
    select distinct reasons.reason
    from (select distinct reason from returns) as reasons
    inner join reason_words on contains(lower(reasons.reason), reason_words.word)
    where reason_words.reason_code = 'product_quality'
),

final as (
    select
        returns.return_id,
        returns.order_id,
        coalesce(returns.customer_id, orders.customer_id) as customer_id,
        returns.returned_at,
        returns.returned_on,
        orders.order_id is not null as is_order_known,
        orders.ordered_on,
        case
            when returns.returned_on >= orders.ordered_on
                then cast({{ days_between('orders.ordered_on', 'returns.returned_on') }} as integer)
        end as days_since_order,
        returns.product_id,
        returns.product_id is null
        and coalesce(orders.status = 'returned' or returns.quantity >= orders.quantity, false) as is_whole_order,
        returns.quantity,
        returns.amount,
        case when erasure_requests.customer_id is null then returns.reason end as reason,
        faults.reason is not null as is_faulty
    from returns
    left join orders on returns.order_id = orders.order_id
    left join faults on returns.reason = faults.reason
    left join erasure_requests
        on coalesce(returns.customer_id, orders.customer_id) = erasure_requests.customer_id
)

select * from final
