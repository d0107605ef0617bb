with

customers as (
    select * from {{ ref('int_customers') }}
),

last_days as (
    select * from {{ ref('int_customer_days') }}
    where next_ordered_on is null
),

-- What a customer did of their own accord, and what shows that they use what they bought.
touches as (
    select
        customer_id,
        occurred_on as engaged_on,
        cast(null as date) as supported_on
    from {{ ref('stg_interactions') }}
    where direction = 'inbound' or outcome in ('reached', 'done')
    union all
    select
        customer_id,
        coalesce(responded_on, opened_on) as engaged_on,
        null as supported_on
    from {{ ref('stg_campaign_members') }}
    union all
    select
        customer_id,
        responded_on as engaged_on,
        null as supported_on
    from {{ ref('stg_surveys') }}
    union all
    select
        customer_id,
        occurred_on as engaged_on,
        null as supported_on
    from {{ ref('stg_community_events') }}
    union all
    select
        customer_id,
        posted_on as engaged_on,
        null as supported_on
    from {{ ref('stg_loyalty_ledger') }}
    union all
    select
        customer_id,
        attended_on as engaged_on,
        attended_on as supported_on
    from {{ ref('stg_trainings') }}
    union all
    select
        customer_id,
        quoted_on as engaged_on,
        null as supported_on
    from {{ ref('stg_opportunities') }}
    union all
    select
        customer_id,
        opened_on as engaged_on,
        opened_on as supported_on
    from {{ ref('stg_tickets') }}
    union all
    select
        customer_id,
        occurred_on as engaged_on,
        occurred_on as supported_on
    from {{ ref('stg_usage_events') }}
),

touched as (
    select
        customer_id,
        max(engaged_on) as engaged_on,
        max(supported_on) as supported_on
    from touches
    group by customer_id
),

referrals as (
    select
        referred_by as customer_id,
        count(*) as customers
    from {{ ref('stg_customers') }}
    where referred_by is not null
    group by referred_by
),

final as (
    select
        customers.customer_id,
        case
            when last_days.order_day_number > 1 then 'loyalty'
            when last_days.order_day_number = 1 and referrals.customers > 0 then 'loyalty'
            when last_days.first_ordered_on <= touched.supported_on then 'support'
            when last_days.order_day_number = 1 then 'purchase'
            when touched.engaged_on is not null or referrals.customers > 0 then 'affinity'
            else 'awareness'
        end as stage_journey
    from customers
    left join last_days on customers.customer_id = last_days.customer_id
    left join touched on customers.customer_id = touched.customer_id
    left join referrals on customers.customer_id = referrals.customer_id
)

select * from final
