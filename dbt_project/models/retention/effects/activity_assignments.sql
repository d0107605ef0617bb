with past_tasks as (
    select * from {{ ref('past_tasks') }}
),

campaign_members as (
    select * from {{ ref('stg_campaign_members') }}
),

campaigns as (
    select * from {{ ref('stg_campaigns') }}
),

campaign_types as (
    select * from {{ ref('campaign_type') }}
),

activity_events as (
    select * from {{ ref('activity_events') }}
),

erasure_requests as (
    select distinct customer_id from {{ ref('stg_erasure_requests') }}
),

tasks as (
    select
        *,
        done_on is not null as is_reached,
        case
            when arm = 'control' then 0
            else reserved_cost - coalesce(reward_amount, 0)
                + case when is_redeemed then coalesce(reward_amount, 0) else 0 end
        end as cost
    from past_tasks
),

-- whoever met a list twice in a cycle counts once, from the first time on: whether and how he met it again followed from his arm
drawn as (
    select *
    from tasks
    -- who is held out of all lists would say of one of them what all do together
    where coalesce(held_out_of, '') <> 'all_lists'
    qualify row_number() over (
        partition by list_code, campaign_cycle, customer_id order by listed_on, list_row_id
    ) = 1
),

lists as (
    select
        'list' as activity_kind,
        list_code as activity_code,
        campaign_cycle,
        customer_id,
        arm,
        listed_on as assigned_on,
        list_code || '|' || campaign_cycle as stratum,
        reason_code,
        is_reached,
        cost
    from drawn
),

-- a step of the ladder against those to whom the same step would have been offered
rewards as (
    select
        'reward' as activity_kind,
        'step_' || cast(reward_step as string) as activity_code,
        campaign_cycle,
        customer_id,
        arm,
        listed_on as assigned_on,
        list_code || '|' || cast(reward_step as string) || '|' || campaign_cycle as stratum,
        cast(null as string) as reason_code,
        is_redeemed and arm = 'treatment' as is_reached,
        cost
    from drawn
    where reward_step is not null
    qualify row_number() over (
        partition by reward_step, campaign_cycle, customer_id order by listed_on, list_row_id
    ) = 1
),

-- all lists together against those held out of all: the lot is that of the customer's quarter, on whichever list he meets it
programme as (
    select
        'programme' as activity_kind,
        'all' as activity_code,
        campaign_cycle,
        customer_id,
        case when held_out_of = 'all_lists' then 'control' else 'treatment' end as arm,
        listed_on as assigned_on,
        campaign_cycle as stratum,
        reason_code,
        bool_or(is_reached) over of_quarter as is_reached,
        sum(cost) over of_quarter as cost
    from tasks
    where held_out_of is not null
    window of_quarter as (partition by campaign_cycle, customer_id)
    qualify row_number() over (
        partition by campaign_cycle, customer_id order by listed_on, list_row_id
    ) = 1
),

members as (
    select
        'campaign' as activity_kind,
        campaign_members.campaign_id as activity_code,
        {{ campaign_cycle('campaign_members.assigned_on') }} as campaign_cycle,
        campaign_members.customer_id,
        -- a source that knows no arms contacted all it assigned
        coalesce(campaign_members.arm, 'treatment') as arm,
        campaign_members.assigned_on,
        campaign_members.campaign_id as stratum,
        cast(null as string) as reason_code,
        coalesce(campaign_members.opened_on, campaign_members.responded_on) is not null as is_reached,
        case
            when campaign_members.arm = 'control' then 0
            else coalesce(campaign_members.cost, campaigns.unit_cost)
        end as cost
    from campaign_members
    left join campaigns on campaign_members.campaign_id = campaigns.campaign_id
),

-- campaigns that give to some what others are kept from, beside what is done without a lot
drives as (
    select
        campaign_types.activity_kind,
        campaigns.tactic as activity_code,
        members.campaign_cycle,
        members.customer_id,
        members.arm,
        members.assigned_on,
        members.stratum,
        members.reason_code,
        members.is_reached,
        members.cost
    from members
    inner join campaigns on members.activity_code = campaigns.campaign_id
    inner join campaign_types on campaigns.tactic = campaign_types.tactic
    where campaign_types.activity_kind is not null
    qualify row_number() over (
        partition by campaigns.tactic, members.campaign_cycle, members.customer_id
        order by members.assigned_on, members.activity_code
    ) = 1
),

-- one that comes soon after another works together with it; its own effect cannot be told. What a drive gave is judged by its lot
events as (
    select
        activity_kind,
        activity_code,
        {{ campaign_cycle('occurred_on') }} as campaign_cycle,
        customer_id,
        'treatment' as arm,
        occurred_on as assigned_on,
        cast(null as string) as stratum,
        cast(null as string) as reason_code,
        is_reached,
        cost
    from activity_events
    where
        (previous_on is null or {{ days_after('previous_on', var('effect_window_days')) }} < occurred_on)
        and not exists (
            select 1
            from drives
            where
                drives.activity_kind = activity_events.activity_kind
                and drives.customer_id = activity_events.customer_id
                and drives.assigned_on <= activity_events.occurred_on
                and {{ days_after('drives.assigned_on', var('effect_window_days')) }} >= activity_events.occurred_on
        )
    qualify row_number() over (
        partition by activity_kind, {{ campaign_cycle('occurred_on') }}, customer_id order by occurred_on
    ) = 1
),

together as (
    select * from lists
    union all
    select * from rewards
    union all
    select * from programme
    union all
    select * from members
    union all
    select * from drives
    union all
    select * from events
),

final as (
    select
        together.activity_kind,
        together.activity_code,
        together.campaign_cycle,
        together.customer_id,
        together.arm,
        together.assigned_on,
        case
            -- nobody drew them
            when together.stratum is null then 'matched'
            when
                bool_or(together.arm = 'control') over (
                    partition by together.activity_kind, together.activity_code
                ) then 'randomised'
            else 'none'
        end as comparison,
        together.stratum,
        together.reason_code,
        together.is_reached,
        cast(together.cost as decimal(18, 2)) as cost
    from together
    anti join erasure_requests on together.customer_id = erasure_requests.customer_id
)

select * from final
