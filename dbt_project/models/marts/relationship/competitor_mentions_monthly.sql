with

opportunities as (
    select * from {{ ref('fct_opportunities') }}
),

interactions as (
    select * from {{ ref('stg_interactions') }}
),

churn_feedback as (
    select * from {{ ref('stg_churn_feedback') }}
),

-- The names are those that lost quotations gave; the most frequent ones, since every name is looked for in every text.
competitors as (
    select
        competitor,
        count(*) as named
    from opportunities
    where competitor is not null
    group by competitor
    qualify row_number() over (order by count(*) desc, competitor) <= {{ var('competitors_watched') }}
),

mentions as (
    select
        {{ month_start('coalesce(opportunities.closed_on, opportunities.quoted_on)') }} as month,
        competitors.competitor,
        'opportunity' as place,
        opportunities.customer_id,
        opportunities.quoted_amount as amount
    from opportunities
    inner join competitors on opportunities.competitor = competitors.competitor
    union all
    select
        {{ month_start('interactions.occurred_on') }} as month,
        competitors.competitor,
        'contact' as place,
        interactions.customer_id,
        null as amount
    from interactions
    inner join competitors on contains(interactions.notes, competitors.competitor)
    union all
    select
        {{ month_start('churn_feedback.recorded_on') }} as month,
        competitors.competitor,
        'churn_feedback' as place,
        churn_feedback.customer_id,
        null as amount
    from churn_feedback
    inner join competitors on contains(churn_feedback.detail, competitors.competitor)
),

final as (
    select
        month,
        competitor,
        {{ days_after(months_after('month', 1), -1) }} <= {{ as_of() }} as is_finished,
        cast(count(*) as integer) as mentions,
        cast(count(distinct customer_id) as integer) as customers,
        cast(count(*) filter (where place = 'opportunity') as integer) as opportunities,
        cast(coalesce(sum(amount), 0) as decimal(18, 2)) as quoted_amount,
        cast(count(*) filter (where place = 'contact') as integer) as contacts,
        cast(count(*) filter (where place = 'churn_feedback') as integer) as churn_statements
    from mentions
    where month is not null
    group by month, competitor
)

select * from final
