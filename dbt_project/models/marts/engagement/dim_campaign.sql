with

campaigns as (
    select * from {{ ref('stg_campaigns') }}
),

campaign_types as (
    select * from {{ ref('campaign_type') }}
),

members as (
    select
        campaign_id,
        count(*) filter (where arm = 'control') as control,
        count(*) filter (where arm is distinct from 'control') as treatment,
        count(sent_on) as sent,
        count(opened_on) as opened,
        count(responded_on) as responded,
        sum(cost) as cost
    from {{ ref('stg_campaign_members') }}
    group by campaign_id
),

-- Somebody may be in a campaign that nobody described.
known as (
    select campaign_id from campaigns
    union
    select campaign_id from members
),

final as (
    select
        known.campaign_id,
        campaigns.name as campaign_name,
        campaigns.purpose,
        campaigns.tactic,
        campaign_types.title as tactic_title,
        campaign_types.appeal,
        campaigns.channel,
        campaigns.starts_on,
        campaigns.ends_on,
        campaigns.unit_cost,
        cast(coalesce(members.treatment, 0) as integer) as treatment_customers,
        cast(coalesce(members.control, 0) as integer) as control_customers,
        cast(coalesce(members.sent, 0) as integer) as sent,
        cast(coalesce(members.opened, 0) as integer) as opened,
        cast(coalesce(members.responded, 0) as integer) as responded,
        {{ ratio('members.responded', 'members.sent') }} as response_rate,
        cast(coalesce(members.cost, 0) as decimal(18, 2)) as cost
    from known
    left join campaigns on known.campaign_id = campaigns.campaign_id
    left join campaign_types on campaigns.tactic = campaign_types.tactic
    left join members on known.campaign_id = members.campaign_id
)

select * from final
