{%- set this_year = var('as_of')[:4] | int -%}
with customers as (
    select * from {{ ref('stg_customers') }}
),

tickets as (
    select * from {{ ref('stg_tickets') }}
),

relationships as (
    select * from {{ ref('int_relationships') }}
),

opportunities as (
    select * from {{ ref('fct_opportunities') }}
    where status = 'open'
),

campaigns as (
    select * from {{ ref('stg_campaigns') }}
),

order_items as (
    select * from {{ ref('stg_order_items') }}
),

products as (
    select * from {{ ref('stg_products') }}
),

purchases as (
    select * from {{ ref('int_purchases') }}
),

known as (
    select customer_id from {{ ref('int_customers') }}
),

birthdays as (
    select
        customer_id,
        -- one of this week stays, or the list would end on the day after it and so tell the day
        case
            {%- for year in [this_year - 1, this_year] %}
            when {{ birthday_in('birth_date', year) }} >= {{ week_start(as_of()) }} then {{ birthday_in('birth_date', year) }}
            {%- endfor %}
            else {{ birthday_in('birth_date', this_year + 1) }}
        end as next_birthday_on
    from customers
    -- a slip of the century is nobody's birthday
    where birth_date <= {{ as_of() }}
),

complaints as (
    select
        customer_id,
        count(*) filter (where resolved_at is null) as open_complaints,
        min(opened_on) filter (where resolved_at is null) as oldest_complaint_on,
        min_by(coalesce(category, 'no subject'), cast(opened_at as string) || ticket_id)
            filter (where resolved_at is null) as open_subject,
        max(resolved_on) filter (where satisfaction <= {{ var('bad_satisfaction') }}) as badly_solved_on,
        max_by(coalesce(category, 'no subject'), cast(resolved_at as string) || ticket_id)
            filter (where satisfaction <= {{ var('bad_satisfaction') }}) as badly_solved_subject
    from tickets
    where kind = 'complaint'
    group by customer_id
),

quotes as (
    select
        customer_id,
        count(*) as open_quotes,
        sum(quoted_amount) as open_quoted_amount,
        min(expected_close_on) as next_close_on,
        bool_or(is_near_signing) as is_near_signing
    from opportunities
    group by customer_id
),

sold as (
    select
        product_id,
        min(ordered_on) as first_sold_on
    from order_items
    group by product_id
),

catalogue as (
    select
        products.category,
        products.name,
        products.product_id,
        sold.first_sold_on,
        min(sold.first_sold_on) over (partition by products.category) as category_since_on
    from products
    inner join sold on products.product_id = sold.product_id
    where products.category is not null
),

-- something new in a category that was sold before; in a new shop everything is new, and nothing is
launches as (
    select
        category,
        coalesce(name, product_id) as title,
        first_sold_on as launched_on,
        product_id as launch_id
    from catalogue
    where
        first_sold_on > {{ days_after(as_of(), '-' ~ var('launch_days')) }}
        and category_since_on <= {{ days_after(as_of(), -365) }}
    union all
    select distinct
        catalogue.category,
        campaigns.name as title,
        campaigns.starts_on as launched_on,
        campaigns.campaign_id as launch_id
    from campaigns
    inner join catalogue on lower(campaigns.name) like '%' || lower(catalogue.category) || '%'
    where
        campaigns.purpose = 'launch'
        and campaigns.starts_on > {{ days_after(as_of(), '-' ~ var('launch_days')) }}
),

-- the contract knows no date from which a product is on offer: of several the one sold first last is the newest
latest_launches as (
    select *
    from launches
    qualify row_number() over (partition by category order by launched_on desc, launch_id asc) = 1
),

bought as (
    select
        purchases.customer_id,
        latest_launches.category,
        latest_launches.title,
        latest_launches.launched_on,
        count(*) as orders
    from purchases
    inner join latest_launches on purchases.category = latest_launches.category
    where
        purchases.ordered_on < latest_launches.launched_on
        and purchases.ordered_on >= {{ days_after('latest_launches.launched_on', '-' ~ var('preference_days')) }}
    group by all
    -- once may be chance
    having count(*) >= {{ var('launch_min_orders') }}
),

-- a tag is quickly set: of those who carry it, those whom the offer fits best; all of them where no fit is known
wished as (
    select
        customers.customer_id,
        latest_launches.category,
        latest_launches.title,
        latest_launches.launched_on
    from customers
    inner join latest_launches
        on ',' || replace(lower(customers.demand_tags), ' ', '') || ',' like '%,' || lower(latest_launches.category) || ',%'
    qualify
        percent_rank() over (partition by latest_launches.category order by customers.fit_score desc nulls last)
        < {{ var('launch_wish_share') }}
),

asked as (
    select
        tickets.customer_id,
        latest_launches.category,
        latest_launches.title,
        latest_launches.launched_on
    from tickets
    inner join products on tickets.product_id = products.product_id
    inner join latest_launches on products.category = latest_launches.category
    where
        tickets.kind in ('question', 'suggestion')
        and tickets.opened_on > {{ days_after(as_of(), '-' ~ var('needs_days')) }}
    union
    select * from wished
),

matches as (
    select
        *,
        'bought' as basis
    from bought
    union all
    select
        *,
        0 as orders,
        'asked' as basis
    from asked
),

-- what was bought most often says more than a tag
best_matches as (
    select *
    from matches
    qualify row_number() over (
        partition by customer_id order by orders desc, launched_on desc, category asc, basis desc
    ) = 1
),

final as (
    select
        known.customer_id,
        birthdays.next_birthday_on,
        cast(coalesce(complaints.open_complaints, 0) as integer) as open_complaints,
        complaints.oldest_complaint_on,
        complaints.badly_solved_on,
        coalesce(complaints.open_subject, complaints.badly_solved_subject) as complaint_subject,
        relationships.last_contact_on,
        relationships.last_rep_contact_on,
        cast(coalesce(quotes.open_quotes, 0) as integer) as open_quotes,
        cast(quotes.open_quoted_amount as decimal(18, 2)) as open_quoted_amount,
        quotes.next_close_on,
        coalesce(quotes.is_near_signing, false) as is_near_signing,
        best_matches.category as launch_category,
        best_matches.title as launch_title,
        best_matches.launched_on,
        best_matches.basis as launch_basis
    from known
    left join birthdays on known.customer_id = birthdays.customer_id
    left join complaints on known.customer_id = complaints.customer_id
    left join relationships on known.customer_id = relationships.customer_id
    left join quotes on known.customer_id = quotes.customer_id
    left join best_matches on known.customer_id = best_matches.customer_id
)

select * from final
