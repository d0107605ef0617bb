{%- set days = var('funnel_window_days') -%}
with

opportunities as (
    select * from {{ ref('fct_opportunities') }}
    where quoted_on is not null
),

customer_days as (
    select * from {{ ref('int_customer_days') }}
),

quoted_customers as (
    select distinct customer_id from opportunities
),

days_of_quoted as (
    select
        customer_days.customer_id,
        customer_days.ordered_on
    from customer_days
    semi join quoted_customers using (customer_id)
),

-- whether an order came before the quotation, and whether one followed within the window
ordered as (
    select
        opportunities.opportunity_id,
        coalesce(bool_or(days_of_quoted.ordered_on < opportunities.quoted_on), false) as had_ordered,
        coalesce(bool_or(
            days_of_quoted.ordered_on >= opportunities.quoted_on
            and days_of_quoted.ordered_on <= {{ days_after('opportunities.quoted_on', days) }}
        ), false) as has_ordered_within
    from opportunities
    left join days_of_quoted on opportunities.customer_id = days_of_quoted.customer_id
    group by opportunities.opportunity_id
),

placed as (
    select
        opportunities.*,
        {{ month_start('opportunities.quoted_on') }} as month,
        {{ days_after(months_after(month_start('opportunities.quoted_on'), 1), -1) }} as month_end_on,
        opportunities.closed_on <= {{ days_after('opportunities.quoted_on', days) }} as is_closed_within,
        ordered.had_ordered,
        ordered.has_ordered_within
    from opportunities
    inner join ordered on opportunities.opportunity_id = ordered.opportunity_id
),

counted as (
    select
        month,
        month_end_on,
        coalesce(owner_id, 'unassigned') as owner_id,
        count(*) as quoted,
        count(*) filter (where not had_ordered) as quoted_to_prospects,
        count(distinct customer_id) as customers_quoted,
        coalesce(sum(quoted_amount), 0) as quoted_amount,
        count(*) filter (where status = 'open') as still_open,
        coalesce(sum(quoted_amount) filter (where status = 'open'), 0) as still_open_amount,
        count(*) filter (where is_closed_within) as decided,
        count(*) filter (where is_closed_within and status = 'won') as won,
        coalesce(sum(quoted_amount) filter (where is_closed_within and status = 'won'), 0) as won_amount,
        coalesce(sum(days_open) filter (where is_closed_within and status = 'won'), 0) as days_to_win,
        count(*) filter (where is_closed_within and status = 'lost') as lost,
        count(*) filter (where is_closed_within and status = 'lost' and is_competitor_named) as lost_to_competitors,
        count(*) filter (where has_ordered_within) as ordered
    from placed
    where month_end_on <= {{ as_of() }}
    group by month, month_end_on, coalesce(owner_id, 'unassigned')
),

final as (
    select
        month,
        owner_id,
        {{ days_after('month_end_on', days) }} <= {{ as_of() }} as is_window_over,
        quoted,
        quoted_to_prospects,
        customers_quoted,
        cast(quoted_amount as decimal(18, 2)) as quoted_amount,
        still_open,
        cast(still_open_amount as decimal(18, 2)) as still_open_amount,
        {%- for count in ['decided', 'won', 'lost', 'lost_to_competitors', 'ordered'] %}
        case when {{ days_after('month_end_on', days) }} <= {{ as_of() }} then {{ count }} end as {{ count }},
        {%- endfor %}
        case when {{ days_after('month_end_on', days) }} <= {{ as_of() }} then cast(won_amount as decimal(18, 2)) end
            as won_amount,
        case when {{ days_after('month_end_on', days) }} <= {{ as_of() }} then {{ ratio('won', 'quoted') }} end
            as win_rate,
        case when {{ days_after('month_end_on', days) }} <= {{ as_of() }} then {{ ratio('won_amount', 'quoted_amount') }} end
            as won_amount_rate,
        case when {{ days_after('month_end_on', days) }} <= {{ as_of() }} then {{ ratio('ordered', 'quoted') }} end
            as order_rate,
        case when {{ days_after('month_end_on', days) }} <= {{ as_of() }} then {{ ratio('days_to_win', 'won') }} end
            as average_days_to_win
    from counted
)

select * from final
