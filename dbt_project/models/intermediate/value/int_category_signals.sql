with

order_lines as (
    select * from {{ ref('fct_order_lines') }}
    where status = 'completed' and category is not null
),

customers as (
    select * from {{ ref('stg_customers') }}
),

assets as (
    select * from {{ ref('stg_assets') }}
),

-- Every category is held against every signal: a shop with a thousand of them learns about the ones that many buy.
leading_categories as (
    select category
    from order_lines
    group by category
    order by count(distinct customer_id) desc, category asc
    limit {{ var('affinity_categories') }}
),

bought as (
    select
        order_lines.customer_id,
        'bought' as signal_kind,
        order_lines.category as signal,
        min(order_lines.ordered_on) as seen_on
    from order_lines
    inner join leading_categories on order_lines.category = leading_categories.category
    group by order_lines.customer_id, order_lines.category
),

wanted as (
    select
        customers.customer_id,
        'wants' as signal_kind,
        trim(split_part({{ unified_commas('customers.demand_tags') }}, ',', cast(numbers.n + 1 as integer))) as signal,
        customers.created_on as seen_on
    from customers
    cross join {{ numbers(var('most_demand_tags')) }}
    where customers.demand_tags is not null
),

owned as (
    select
        customer_id,
        'owns' as signal_kind,
        kind as signal,
        min(acquired_on) as seen_on
    from assets
    where kind is not null and acquired_on is not null
    group by customer_id, kind
),

final as (
    select * from bought
    union all
    select distinct * from wanted
    where signal <> ''
    union all
    select * from owned
)

select * from final
