with

owners as (
    select * from {{ ref('int_customer_owners') }}
    where owner_id is not null
),

spine as (
    {{ month_spine('valid_from', 'owners') }}
),

-- finished months only: of the running one nothing can be said yet
months as (
    select * from spine
    where month_end_on <= {{ as_of() }}
),

stages as (
    select * from {{ ref('lifecycle_history') }}
    where stage <> 'prospect'
),

tiers as (
    select * from {{ ref('tier_history') }}
),

refusals as (
    select * from {{ ref('int_profiling_refusals') }}
),

first_days as (
    select
        customer_id,
        first_ordered_on
    from {{ ref('int_customer_days') }}
    where next_ordered_on is null
),

revisit_interval as (
    select * from {{ ref('revisit_interval') }}
),

interactions as (
    select * from {{ ref('fct_interactions') }}
),

-- from one conversation to the next
conversations as (
    select
        customer_id,
        occurred_on as spoken_on,
        lead(occurred_on) over (partition by customer_id order by occurred_on) as next_spoken_on
    from (
        select distinct
            customer_id,
            occurred_on
        from interactions
        where is_conversation
    ) as days
),

contacts_of_months as (
    select
        customer_id,
        {{ month_start('occurred_on') }} as month_start_on,
        min(occurred_on) filter (where is_conversation) as spoken_on,
        min_by(interaction_id, contact_number) filter (where is_conversation) as interaction_id
    from interactions
    where is_attempt or is_conversation
    group by customer_id, {{ month_start('occurred_on') }}
),

-- who looked after whom when the month began, and how the customer stood then
customers_of_months as (
    select
        months.month_start_on,
        months.month_end_on,
        owners.owner_id,
        owners.customer_id,
        stages.stage,
        tiers.value_tier,
        {{ days_after(
            'coalesce(conversations.spoken_on, first_days.first_ordered_on)', 'revisit_interval.interval_days'
        ) }} as due_on
    from owners
    inner join months
        on owners.valid_from <= months.month_start_on
        and (owners.valid_to is null or owners.valid_to > months.month_start_on)
    inner join first_days on owners.customer_id = first_days.customer_id
    inner join stages
        on owners.customer_id = stages.customer_id
        and months.month_start_on > stages.valid_from
        and (stages.valid_to is null or months.month_start_on <= stages.valid_to)
    left join tiers
        on owners.customer_id = tiers.customer_id
        and months.month_start_on > tiers.valid_from
        and (tiers.valid_to is null or months.month_start_on <= tiers.valid_to)
    -- who may not be profiled has no tier, and is a customer of the owner all the same
    left join refusals on owners.customer_id = refusals.customer_id
    left join conversations
        on owners.customer_id = conversations.customer_id
        and months.month_start_on > conversations.spoken_on
        and (conversations.next_spoken_on is null or months.month_start_on <= conversations.next_spoken_on)
    left join revisit_interval
        on tiers.value_tier = revisit_interval.value_tier
        and revisit_interval.standing = case when stages.stage = 'churned' then 'churned' else 'customer' end
    where
        tiers.customer_id is not null
        or (
            refusals.customer_id is not null
            and {{ days_after('months.month_start_on', -1) }} > {{ months_after(as_of(), '-' ~ var('tier_history_months')) }}
        )
),

final as (
    select
        customers_of_months.month_start_on,
        customers_of_months.month_end_on,
        customers_of_months.owner_id,
        customers_of_months.customer_id,
        customers_of_months.stage,
        customers_of_months.value_tier,
        customers_of_months.due_on,
        coalesce(customers_of_months.due_on <= customers_of_months.month_end_on, false) as is_due,
        contacts_of_months.customer_id is not null as is_tried,
        contacts_of_months.spoken_on is not null as is_reached,
        contacts_of_months.interaction_id
    from customers_of_months
    left join contacts_of_months
        on customers_of_months.customer_id = contacts_of_months.customer_id
        and customers_of_months.month_start_on = contacts_of_months.month_start_on
)

select * from final
