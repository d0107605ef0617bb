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

supplied as (
    {{ facts_given(ref('source_inventory'), {
        'trainings': ['trainings.training_id'],
        'completions': ['trainings.completed'],
        'community': ['community_events.event_id'],
        'campaigns': ['campaign_members.sent_at'],
        'openings': ['campaign_members.opened_at'],
        'responses': ['campaign_members.responded_at'],
        'referrals': ['customers.referred_by'],
    }) }}
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
        cast(case when supplied.trainings then coalesce(trainings.trainings, 0) end as integer) as trainings,
        cast(case when supplied.completions then coalesce(trainings.completed, 0) end as integer) as trainings_completed,
        trainings.last_on as last_training_on,
        cast(case when supplied.community then coalesce(community.events_30d, 0) end as integer) as community_events_30d,
        cast(case when supplied.community then coalesce(community.events_365d, 0) end as integer) as community_events_365d,
        case when supplied.community then coalesce(community.events_30d, 0) > 0 end as is_engaged_30d,
        community.last_on as last_community_event_on,
        cast(case when supplied.campaigns then coalesce(campaigns.received, 0) end as integer) as campaigns_received_365d,
        cast(case when supplied.openings then coalesce(campaigns.opened, 0) end as integer) as campaigns_opened_365d,
        cast(case when supplied.responses then coalesce(campaigns.responded, 0) end as integer) as campaigns_responded_365d,
        campaigns.last_on as last_campaign_response_on,
        cast(case when supplied.referrals then coalesce(referrals.referrals, 0) end as integer) as referrals,
        cast(case when supplied.referrals then coalesce(referrals.buyers, 0) end as integer) as referred_buyers,
        cast(case when supplied.referrals then coalesce(referrals.profit_amount, 0) end as decimal(18, 2)) as referred_profit
    from customers
    cross join supplied
    left join trainings on customers.customer_id = trainings.customer_id
    left join community on customers.customer_id = community.customer_id
    left join campaigns on customers.customer_id = campaigns.customer_id
    left join referrals on customers.customer_id = referrals.customer_id
)

select * from final
