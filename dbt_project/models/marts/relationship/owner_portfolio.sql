{%- set counts = [
    'customers', 'customers_with_order', 'core_customers', 'at_risk_customers', 'churned_customers',
    'overdue_follow_ups', 'longest_overdue_follow_up_days', 'overdue_revisits', 'unreachable_customers',
    'duplicate_customers', 'never_reached_customers', 'customers_without_value', 'sound_customers'
] -%}
with

reps as (
    select * from {{ ref('dim_rep') }}
),

relationships as (
    select * from {{ ref('int_relationships') }}
    where is_workable
),

follow_ups as (
    select * from {{ ref('customer_follow_up') }}
),

revisits as (
    select * from {{ ref('revisit_plan') }}
),

contact_data as (
    select * from {{ ref('contact_data_quality') }}
),

opportunities as (
    select * from {{ ref('fct_opportunities') }}
    semi join relationships using (customer_id)
    where status = 'open'
),

open_quotes as (
    select
        owner_id,
        count(*) as open_opportunities,
        sum(quoted_amount) as open_quoted_amount,
        count(*) filter (where is_near_signing) as near_signing_opportunities,
        sum(quoted_amount) filter (where is_near_signing) as near_signing_amount
    from opportunities
    group by owner_id
),

portfolios as (
    select
        relationships.owner_id,
        count(*) as customers,
        count(*) filter (where relationships.first_order_on is not null) as customers_with_order,
        count(*) filter (
            where relationships.value_tier = 'core' and relationships.lifecycle_stage <> 'churned'
        ) as core_customers,
        count(*) filter (where relationships.lifecycle_stage in ('watch', 'quasi_churned')) as at_risk_customers,
        count(*) filter (where relationships.lifecycle_stage = 'churned') as churned_customers,
        sum(relationships.monetary_12m) as monetary_12m,
        sum(relationships.gross_profit_12m) as gross_profit_12m,
        sum(relationships.gross_profit_12m) filter (
            where relationships.lifecycle_stage in ('watch', 'quasi_churned')
        ) as at_risk_profit_12m,
        max(relationships.gross_profit_12m) as best_customer_profit_12m,
        count(*) filter (where follow_ups.is_due) as overdue_follow_ups,
        max(follow_ups.days_overdue) as longest_overdue_follow_up_days,
        count(*) filter (where revisits.is_due) as overdue_revisits,
        count(*) filter (where contact_data.is_unreachable) as unreachable_customers,
        count(*) filter (where contact_data.is_duplicate) as duplicate_customers,
        count(*) filter (where contact_data.is_never_reached) as never_reached_customers,
        count(*) filter (where contact_data.is_without_value) as customers_without_value,
        count(*) filter (where contact_data.verdict = 'sound') as sound_customers
    from relationships
    left join follow_ups on relationships.customer_id = follow_ups.customer_id
    left join revisits on relationships.customer_id = revisits.customer_id
    left join contact_data on relationships.customer_id = contact_data.customer_id
    where relationships.owner_id is not null
    group by relationships.owner_id
),

joined as (
    select
        reps.rep_id,
        reps.team,
        reps.manager_id,
        reps.is_departed,
        coalesce(reps.departed_on, reps.leaves_on) as leaves_on,
        {%- for count in counts %}
        cast(coalesce(portfolios.{{ count }}, 0) as integer) as {{ count }},
        {%- endfor %}
        coalesce(portfolios.monetary_12m, 0) as monetary_12m,
        coalesce(portfolios.gross_profit_12m, 0) as gross_profit_12m,
        coalesce(portfolios.at_risk_profit_12m, 0) as at_risk_profit_12m,
        portfolios.best_customer_profit_12m,
        cast(coalesce(open_quotes.open_opportunities, 0) as integer) as open_opportunities,
        cast(coalesce(open_quotes.near_signing_opportunities, 0) as integer) as near_signing_opportunities,
        coalesce(open_quotes.open_quoted_amount, 0) as open_quoted_amount,
        coalesce(open_quotes.near_signing_amount, 0) as near_signing_amount,
        sum(portfolios.gross_profit_12m) over () as all_profit_12m,
        sum(portfolios.monetary_12m) over () as all_monetary_12m
    from reps
    left join portfolios on reps.rep_id = portfolios.owner_id
    left join open_quotes on reps.rep_id = open_quotes.owner_id
),

final as (
    select
        rep_id as owner_id,
        team,
        manager_id,
        is_departed,
        leaves_on,
        case
            when customers + open_opportunities = 0 or leaves_on is null then 'none'
            when leaves_on > {{ days_after(as_of(), var('handover_ahead_days')) }} then 'none'
            when leaves_on > {{ as_of() }} then 'coming'
            when {{ days_between('leaves_on', as_of()) }} <= {{ var('handover_days') }} then 'due'
            else 'overdue'
        end as handover_state,
        {%- for count in counts %}
        {{ count }},
        {%- endfor %}
        {{ ratio('sound_customers', 'customers') }} as sound_share,
        cast(monetary_12m as decimal(18, 2)) as monetary_12m,
        {{ ratio('monetary_12m', 'all_monetary_12m') }} as share_of_revenue,
        cast(gross_profit_12m as decimal(18, 2)) as gross_profit_12m,
        case when all_profit_12m > 0 then {{ ratio('gross_profit_12m', 'all_profit_12m') }} end as share_of_profit,
        cast(at_risk_profit_12m as decimal(18, 2)) as at_risk_profit_12m,
        case when gross_profit_12m > 0 then {{ ratio('best_customer_profit_12m', 'gross_profit_12m') }} end
            as best_customer_share,
        open_opportunities,
        cast(open_quoted_amount as decimal(18, 2)) as open_quoted_amount,
        near_signing_opportunities,
        cast(near_signing_amount as decimal(18, 2)) as near_signing_amount
    from joined
)

select * from final
