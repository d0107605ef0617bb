with

touches as (
    select
        customer_id,
        ordered_on as touched_on,
        'order' as touch,
        true as is_by_customer,
        net_amount
    from {{ ref('int_purchases') }}
    union all
    select
        customer_id,
        returned_on as touched_on,
        'return' as touch,
        true as is_by_customer,
        -amount as net_amount
    from {{ ref('int_returns') }}
    union all
    select
        customer_id,
        occurred_on as touched_on,
        'contact' as touch,
        coalesce(direction = 'inbound', false) as is_by_customer,
        null as net_amount
    from {{ ref('stg_interactions') }}
    union all
    select
        customer_id,
        quoted_on as touched_on,
        'quote' as touch,
        false as is_by_customer,
        null as net_amount
    from {{ ref('stg_opportunities') }}
    union all
    select
        customer_id,
        opened_on as touched_on,
        coalesce(kind, 'ticket') as touch,
        true as is_by_customer,
        null as net_amount
    from {{ ref('stg_tickets') }}
    union all
    select
        customer_id,
        sent_on as touched_on,
        'survey_sent' as touch,
        false as is_by_customer,
        null as net_amount
    from {{ ref('stg_surveys') }}
    union all
    select
        customer_id,
        responded_on as touched_on,
        'survey_answer' as touch,
        true as is_by_customer,
        null as net_amount
    from {{ ref('stg_surveys') }}
    union all
    select
        customer_id,
        sent_on as touched_on,
        'campaign_message' as touch,
        false as is_by_customer,
        null as net_amount
    from {{ ref('stg_campaign_members') }}
    union all
    select
        customer_id,
        responded_on as touched_on,
        'campaign_response' as touch,
        true as is_by_customer,
        null as net_amount
    from {{ ref('stg_campaign_members') }}
    union all
    select
        customer_id,
        attended_on as touched_on,
        'training' as touch,
        true as is_by_customer,
        null as net_amount
    from {{ ref('stg_trainings') }}
    union all
    select
        customer_id,
        occurred_on as touched_on,
        'community' as touch,
        true as is_by_customer,
        null as net_amount
    from {{ ref('stg_community_events') }}
    union all
    select
        customer_id,
        posted_on as touched_on,
        'points_redeemed' as touch,
        true as is_by_customer,
        null as net_amount
    from {{ ref('stg_loyalty_ledger') }}
    where kind = 'redeem'
    union all
    select
        customer_id,
        occurred_on as touched_on,
        'usage' as touch,
        true as is_by_customer,
        null as net_amount
    from {{ ref('stg_usage_events') }}
),

final as (
    select
        customer_id,
        {{ month_start('touched_on') }} as month,
        touch,
        is_by_customer,
        cast(count(*) as integer) as touches,
        min(touched_on) as first_on,
        max(touched_on) as last_on,
        cast(sum(net_amount) as decimal(18, 2)) as net_amount
    from touches
    where touched_on is not null
    group by customer_id, {{ month_start('touched_on') }}, touch, is_by_customer
)

select * from final
