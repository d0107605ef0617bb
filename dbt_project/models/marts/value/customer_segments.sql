with

-- a segment is a judgement of what somebody buys, and only of those who may be judged
customer_value as (
    select customer_value.*
    from {{ ref('customer_value') }} as customer_value
    anti join {{ ref('int_profiling_refusals') }} as refusals on customer_value.customer_id = refusals.customer_id
),

order_lines as (
    select * from {{ ref('fct_order_lines') }}
    where status = 'completed' and ordered_on > {{ days_after(as_of(), -365) }}
),

amounts as (
    select
        customer_id,
        category,
        sum(net_amount) as net_amount
    from order_lines
    where net_amount > 0
    group by customer_id, category
),

-- The share is of everything bought, lines without a category included.
leading_categories as (
    select
        customer_id,
        category,
        net_amount as category_amount,
        sum(net_amount) over (partition by customer_id) as amount
    from amounts
    qualify row_number() over (partition by customer_id order by category is null asc, net_amount desc, category asc) = 1
),

buyers as (
    select
        customer_id,
        percent_rank() over (order by monetary_12m desc) as share_above
    from customer_value
    where orders_12m > 0
),

final as (
    select
        customer_value.customer_id,
        case
            when customer_value.orders_total = 0 then 'prospect'
            when customer_value.orders_12m = 0 then 'inactive'
            when customer_value.orders_12m >= {{ var('segment_frequent_orders') }} then 'frequent'
            when customer_value.orders_12m >= {{ var('segment_regular_orders') }} then 'regular'
            else 'occasional'
        end as segment_frequency,
        case
            when customer_value.orders_total = 0 then 'prospect'
            when customer_value.orders_12m = 0 then 'inactive'
            when buyers.share_above < {{ var('segment_high_amount_share') }} then 'high'
            when buyers.share_above < {{ var('segment_high_amount_share') }} + {{ var('segment_medium_amount_share') }}
                then 'medium'
            else 'low'
        end as segment_amount,
        case
            when customer_value.orders_total = 0 then 'prospect'
            when customer_value.orders_12m = 0 then 'inactive'
            when leading_categories.category is null then 'unknown'
            when leading_categories.category_amount >= {{ var('segment_category_share') }} * leading_categories.amount
                then leading_categories.category
            else 'mixed'
        end as segment_product_type,
        customer_value.orders_12m,
        customer_value.monetary_12m,
        leading_categories.category as leading_category,
        cast(leading_categories.category_amount as decimal(18, 2)) as leading_category_amount_12m,
        {{ ratio('leading_categories.category_amount', 'leading_categories.amount') }} as leading_category_share
    from customer_value
    left join buyers on customer_value.customer_id = buyers.customer_id
    left join leading_categories
        on customer_value.customer_id = leading_categories.customer_id and leading_categories.category is not null
)

select * from final
