with

customers as (
    select * from {{ ref('int_customers') }}
),

profiles as (
    select * from {{ ref('stg_customers') }}
),

last_days as (
    select * from {{ ref('int_customer_days') }}
    where next_ordered_on is null
),

trainings as (
    select
        customer_id,
        count(*) as trainings,
        count(*) filter (where is_completed) as completed,
        max(attended_on) as last_on
    from {{ ref('fct_trainings') }}
    group by customer_id
),

community as (
    select
        customer_id,
        count(*) filter (where occurred_on > {{ days_after(as_of(), -30) }}) as events_30d,
        count(*) filter (where occurred_on > {{ days_after(as_of(), -365) }}) as events_365d,
        max(occurred_on) as last_on
    from {{ ref('fct_community_events') }}
    group by customer_id
),

campaigns as (
    select
        customer_id,
        count(sent_on) as received,
        count(opened_on) as opened,
        count(responded_on) as responded,
        max(coalesce(responded_on, opened_on)) as last_on
    from {{ ref('stg_campaign_members') }}
    where assigned_on > {{ days_after(as_of(), -365) }}
    group by customer_id
),

referrals as (
    select
        profiles.referred_by as customer_id,
        count(*) as referrals,
        count(last_days.customer_id) as buyers,
        sum(last_days.profit_amount_so_far) as profit_amount
    from profiles
    left join last_days on profiles.customer_id = last_days.customer_id
    where profiles.referred_by is not null and profiles.referred_by <> profiles.customer_id
    group by profiles.referred_by
),

final as (
    select
        customers.customer_id,
        cast(coalesce(trainings.trainings, 0) as integer) as trainings,
        cast(coalesce(trainings.completed, 0) as integer) as trainings_completed,
        trainings.last_on as last_training_on,
        cast(coalesce(community.events_30d, 0) as integer) as community_events_30d,
        cast(coalesce(community.events_365d, 0) as integer) as community_events_365d,
        coalesce(community.events_30d, 0) > 0 as is_engaged_30d,
        community.last_on as last_community_event_on,
        cast(coalesce(campaigns.received, 0) as integer) as campaigns_received_365d,
        cast(coalesce(campaigns.opened, 0) as integer) as campaigns_opened_365d,
        cast(coalesce(campaigns.responded, 0) as integer) as campaigns_responded_365d,
        campaigns.last_on as last_campaign_response_on,
        cast(coalesce(referrals.referrals, 0) as integer) as referrals,
        cast(coalesce(referrals.buyers, 0) as integer) as referred_buyers,
        cast(coalesce(referrals.profit_amount, 0) as decimal(18, 2)) as referred_profit
    from customers
    left join trainings on customers.customer_id = trainings.customer_id
    left join community on customers.customer_id = community.customer_id
    left join campaigns on customers.customer_id = campaigns.customer_id
    left join referrals on customers.customer_id = referrals.customer_id
)

select * from final
