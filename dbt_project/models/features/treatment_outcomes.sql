{%- set days = var('effect_window_days') -%}
with

campaign_members as (
    select * from {{ ref('stg_campaign_members') }}
),

campaigns as (
    select * from {{ ref('stg_campaigns') }}
),

customer_days as (
    select * from {{ ref('int_customer_days') }}
),

returns as (
    select * from {{ ref('int_returns') }}
),

erasure_requests as (
    select distinct customer_id from {{ ref('stg_erasure_requests') }}
),

drawn as (
    select
        campaign_members.campaign_id,
        campaign_members.customer_id,
        campaign_members.assigned_on,
        campaign_members.arm,
        campaigns.purpose,
        campaigns.tactic,
        campaigns.channel,
        case when campaign_members.arm = 'treatment' then coalesce(campaign_members.cost, campaigns.unit_cost, 0) else 0 end
            as cost,
        avg(case when campaign_members.arm = 'treatment' then 1 else 0 end) over (
            partition by campaign_members.campaign_id
        ) as treated_share
    from campaign_members
    inner join campaigns on campaign_members.campaign_id = campaigns.campaign_id
    anti join erasure_requests on campaign_members.customer_id = erasure_requests.customer_id
    where
        campaign_members.arm in ('treatment', 'control')
        and campaigns.tactic is not null
        and {{ days_after('campaign_members.assigned_on', days) }} <= {{ as_of() }}
),

-- a campaign without a control group compares nobody
randomised as (
    select * from drawn
    where treated_share > 0 and treated_share < 1
),

bought as (
    select
        randomised.campaign_id,
        randomised.customer_id
        {%- for name, condition in [
            ('_after', '> randomised.assigned_on'), ('_before', '< randomised.assigned_on')
        ] %},
        sum(customer_days.orders) filter (where customer_days.ordered_on {{ condition }}) as orders{{ name }},
        sum(customer_days.profit_amount) filter (where customer_days.ordered_on {{ condition }}) as profit{{ name }}
        {%- endfor %}
    from randomised
    inner join customer_days
        on randomised.customer_id = customer_days.customer_id
        and customer_days.ordered_on >= {{ days_after('randomised.assigned_on', '-' ~ days) }}
        and customer_days.ordered_on <= {{ days_after('randomised.assigned_on', days) }}
    group by randomised.campaign_id, randomised.customer_id
),

given_back as (
    select
        randomised.campaign_id,
        randomised.customer_id,
        sum(returns.profit_amount) as profit
    from randomised
    inner join returns
        on randomised.customer_id = returns.customer_id
        and randomised.assigned_on < returns.returned_on
        and returns.returned_on <= {{ days_after('randomised.assigned_on', days) }}
    group by randomised.campaign_id, randomised.customer_id
),

final as (
    select
        randomised.campaign_id,
        randomised.customer_id,
        {{ days_after('randomised.assigned_on', -1) }} as snapshot_on,
        randomised.purpose,
        randomised.tactic,
        randomised.channel,
        randomised.arm = 'treatment' as treated,
        randomised.treated_share,
        cast(coalesce(bought.orders_after, 0) as integer) as orders_after,
        cast(coalesce(bought.orders_before, 0) as integer) as orders_before,
        cast(coalesce(bought.profit_after, 0) - coalesce(given_back.profit, 0) as decimal(18, 2)) as profit_after,
        cast(coalesce(bought.profit_before, 0) as decimal(18, 2)) as profit_before,
        cast(randomised.cost as decimal(18, 4)) as cost
    from randomised
    left join bought
        on randomised.campaign_id = bought.campaign_id and randomised.customer_id = bought.customer_id
    left join given_back
        on randomised.campaign_id = given_back.campaign_id and randomised.customer_id = given_back.customer_id
)

select * from final
