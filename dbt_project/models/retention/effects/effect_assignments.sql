with past_tasks as (
    select * from {{ ref('past_tasks') }}
),

campaign_members as (
    select * from {{ ref('stg_campaign_members') }}
),

-- whoever met a list twice in a cycle counts once, from the first time on
lists as (
    select
        'list' as activity_kind,
        list_code as activity_code,
        campaign_cycle,
        customer_id,
        min_by(arm, listed_on) as arm,
        min(listed_on) as assigned_on
    from past_tasks
    group by list_code, campaign_cycle, customer_id
),

campaigns as (
    select
        'campaign' as activity_kind,
        campaign_id as activity_code,
        {{ campaign_cycle('assigned_on') }} as campaign_cycle,
        customer_id,
        -- a source that knows no arms contacted all it assigned
        coalesce(arm, 'treatment') as arm,
        assigned_on
    from campaign_members
),

final as (
    select * from lists
    union all
    select * from campaigns
)

select * from final
