with

customers as (
    select customers.customer_id
    from {{ ref('int_customers') }} as customers
    anti join {{ ref('int_profiling_refusals') }} as refusals on customers.customer_id = refusals.customer_id
),

purchases as (
    select * from {{ ref('int_purchases') }}
    where ordered_on > {{ days_after(as_of(), '-' ~ var('preference_days')) }}
),

order_lines as (
    select * from {{ ref('fct_order_lines') }}
    where status = 'completed' and ordered_on > {{ days_after(as_of(), '-' ~ var('preference_days')) }}
),

channels as (
    select * from {{ ref('channel_kind') }}
),

supplied as (
    {{ facts_given(ref('source_inventory'), {'has_channels': ['orders.channel', 'order_lines.channel']}) }}
),

counted as (
    select
        purchases.customer_id,
        count(*) as orders,
        count(*) filter (where channels.is_online) as online_orders,
        count(*) filter (where not channels.is_online) as offline_orders
    from purchases
    left join channels on purchases.channel = channels.channel
    group by purchases.customer_id
),

favourite_categories as (
    select
        customer_id,
        category
    from order_lines
    where category is not null and net_amount > 0
    group by customer_id, category
    qualify row_number() over (
        partition by customer_id order by sum(net_amount) desc, max(ordered_on) desc, category asc
    ) = 1
),

favourite_channels as (
    select
        customer_id,
        channel
    from purchases
    where channel is not null
    group by customer_id, channel
    qualify row_number() over (partition by customer_id order by count(*) desc, max(ordered_on) desc, channel asc) = 1
),

-- By counting from a known Monday: engines disagree on which day of the week is the first.
weekdays as (
    select
        customer_id,
        cast({{ days_between("date '1900-01-01'", 'ordered_on') }} % 7 + 1 as integer) as day_of_week,
        count(*) as orders,
        max(ordered_on) as last_ordered_on
    from purchases
    group by customer_id, day_of_week
),

favourite_weekdays as (
    select
        customer_id,
        day_of_week,
        orders
    from weekdays
    qualify row_number() over (
        partition by customer_id order by orders desc, last_ordered_on desc, day_of_week asc
    ) = 1
),

-- Where a product stands among those of its category: 0 the cheapest, 1 the dearest.
product_prices as (
    select
        product_id,
        category,
        {{ exact_avg('unit_price') }} as unit_price
    from order_lines
    where category is not null and unit_price is not null
    group by product_id, category
),

product_levels as (
    select
        product_id,
        percent_rank() over (partition by category order by unit_price) as price_level
    from product_prices
    qualify count(*) over (partition by category) > 1
),

price_levels as (
    select
        order_lines.customer_id,
        count(*) as lines,
        {{ exact_avg('product_levels.price_level') }} as price_level
    from order_lines
    inner join product_levels on order_lines.product_id = product_levels.product_id
    group by order_lines.customer_id
),

needs as (
    select * from {{ ref('customer_needs') }}
),

-- What is wished for and what similar buyers bought may be the same.
listed_needs as (
    select
        customer_id,
        string_agg(need, ', ' order by position) as needs
    from (
        select
            customer_id,
            need,
            min(position) as position
        from needs
        group by customer_id, need
        qualify row_number() over (partition by customer_id order by min(position)) <= {{ var('needs_listed') }}
    ) as first_mentions
    group by customer_id
),

recommended as (
    select * from needs
    where need_kind = 'similar_buyers'
),

final as (
    select
        customers.customer_id,
        cast(coalesce(counted.orders, 0) as integer) as orders_considered,
        favourite_categories.category as favourite_category,
        case
            when price_levels.lines < {{ var('preference_min_orders') }} then null
            when price_levels.price_level < {{ var('price_band_budget_below') }} then 'budget'
            when price_levels.price_level < {{ var('price_band_premium_from') }} then 'middle'
            when price_levels.price_level is not null then 'premium'
        end as price_band,
        round(price_levels.price_level, 6) as price_level,
        favourite_channels.channel as favourite_channel,
        case when supplied.has_channels then cast(coalesce(counted.online_orders, 0) as integer) end as online_orders,
        case when supplied.has_channels then cast(coalesce(counted.offline_orders, 0) as integer) end as offline_orders,
        {{ ratio('counted.online_orders', 'counted.online_orders + counted.offline_orders') }} as online_share,
        case
            when counted.online_orders > 0 and counted.offline_orders > 0 then 'both'
            when counted.online_orders > 0 then 'online'
            when counted.offline_orders > 0 then 'offline'
        end as buys_where,
        case
            when counted.orders >= {{ var('preference_min_orders') }} then favourite_weekdays.day_of_week
        end as favourite_weekday,
        case
            when counted.orders >= {{ var('preference_min_orders') }}
                then {{ ratio('favourite_weekdays.orders', 'counted.orders') }}
        end as favourite_weekday_share,
        recommended.category as next_best_category,
        recommended.because as next_best_because,
        recommended.lift as next_best_lift,
        listed_needs.needs
    from customers
    cross join supplied
    left join counted on customers.customer_id = counted.customer_id
    left join favourite_categories on customers.customer_id = favourite_categories.customer_id
    left join favourite_channels on customers.customer_id = favourite_channels.customer_id
    left join favourite_weekdays on customers.customer_id = favourite_weekdays.customer_id
    left join price_levels on customers.customer_id = price_levels.customer_id
    left join recommended on customers.customer_id = recommended.customer_id
    left join listed_needs on customers.customer_id = listed_needs.customer_id
)

select * from final
