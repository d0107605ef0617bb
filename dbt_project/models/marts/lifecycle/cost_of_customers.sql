with

history as (
    select * from {{ ref('lifecycle_history') }}
),

statement as (
    select * from {{ ref('lifecycle_statement') }}
),

campaigns as (
    select * from {{ ref('stg_campaigns') }}
),

members as (
    select * from {{ ref('stg_campaign_members') }}
),

interactions as (
    select * from {{ ref('stg_interactions') }}
),

contact_channel as (
    select * from {{ ref('contact_channel') }}
),

purchases as (
    select * from {{ ref('int_purchases') }}
),

supplied as (
    {{ facts_given(ref('source_inventory'), {
        'campaigns': ['campaign_members.campaign_id'],
        'contacts': ['interactions.interaction_id'],
        'discounts': ['orders.discount_amount', 'order_items.unit_price', 'order_lines.unit_price'],
    }) }}
),

spent as (
    select
        members.customer_id,
        members.assigned_on as spent_on,
        'campaign' as purse,
        coalesce(members.cost, case when members.arm = 'control' then 0 else campaigns.unit_cost end) as amount
    from members
    left join campaigns on members.campaign_id = campaigns.campaign_id
    union all
    select
        interactions.customer_id,
        interactions.occurred_on as spent_on,
        'contact' as purse,
        coalesce(contact_channel.contact_cost, {{ var('default_contact_cost') }}) as amount
    from interactions
    left join contact_channel on interactions.channel = contact_channel.channel
    where coalesce(interactions.direction, 'outbound') = 'outbound'
    union all
    select
        customer_id,
        ordered_on as spent_on,
        'discount' as purse,
        discount_amount as amount
    from purchases
    where discount_amount > 0
),

-- what the customer was on the eve decides what the money was spent on
sorted as (
    select
        {{ month_start('spent.spent_on') }} as month,
        case history.stage when 'churned' then 'returned' when 'prospect' then 'new' else 'kept' end as kind,
        spent.purse,
        spent.amount
    from spent
    inner join history
        on
            spent.customer_id = history.customer_id
            and spent.spent_on > history.valid_from
            and (history.valid_to is null or spent.spent_on <= history.valid_to)
    union all
    -- known from the first order on alone
    select
        {{ month_start('spent.spent_on') }} as month,
        'new' as kind,
        spent.purse,
        spent.amount
    from spent
    inner join (
        select
            customer_id,
            min(valid_from) as known_on
        from history
        group by customer_id
    ) as first_known
        on spent.customer_id = first_known.customer_id and spent.spent_on <= first_known.known_on
),

costs as (
    select
        month,
        kind,
        sum(amount) filter (where purse = 'campaign') as campaign_cost,
        sum(amount) filter (where purse = 'contact') as contact_cost,
        sum(amount) filter (where purse = 'discount') as discount_cost,
        sum(amount) as cost
    from sorted
    group by month, kind
),

counted as (
    select
        month,
        is_finished,
        'new' as kind,
        new as customers
    from statement
    union all
    select
        month,
        is_finished,
        'returned' as kind,
        resurrected as customers
    from statement
    union all
    select
        month,
        is_finished,
        'kept' as kind,
        greatest(opening - lost, 0) as customers
    from statement
),

monthly as (
    select
        counted.month,
        counted.kind,
        counted.is_finished,
        counted.customers,
        case when supplied.campaigns then coalesce(costs.campaign_cost, 0) end as campaign_cost,
        case when supplied.contacts then coalesce(costs.contact_cost, 0) end as contact_cost,
        case when supplied.discounts then coalesce(costs.discount_cost, 0) end as discount_cost,
        case
            when supplied.campaigns or supplied.contacts or supplied.discounts then coalesce(costs.cost, 0)
        end as cost
    from counted
    cross join supplied
    left join costs on counted.month = costs.month and counted.kind = costs.kind
),

rolling as (
    select
        *,
        sum(cost) over last_year as cost_12m,
        sum(campaign_cost) over last_year as campaign_cost_12m,
        -- who is won or won back is so once, who is kept is kept all the year
        sum(customers) over last_year / case when kind = 'kept' then 12 else 1 end as customers_12m,
        count(*) over last_year as months
    from monthly
    window last_year as (partition by kind order by month rows between 11 preceding and current row)
),

final as (
    select
        month,
        kind,
        is_finished,
        cast(case when is_finished then customers end as integer) as customers,
        cast(case when is_finished then campaign_cost end as decimal(18, 2)) as campaign_cost,
        cast(case when is_finished then contact_cost end as decimal(18, 2)) as contact_cost,
        cast(case when is_finished then discount_cost end as decimal(18, 2)) as discount_cost,
        cast(case when is_finished then cost end as decimal(18, 2)) as cost,
        case when is_finished then {{ ratio('cost', 'customers') }} end as cost_per_customer,
        case when is_finished and months = 12 then round(cast(customers_12m as double), 2) end as customers_12m,
        cast(case when is_finished and months = 12 then cost_12m end as decimal(18, 2)) as cost_12m,
        case when is_finished and months = 12 then {{ ratio('cost_12m', 'customers_12m') }} end as cost_per_customer_12m,
        case
            when is_finished and months = 12 and coalesce(campaign_cost_12m, 0) = 0 then 'no campaign on record reached such people: advertising is not in here'
        end as caveat
    from rolling
)

select * from final
