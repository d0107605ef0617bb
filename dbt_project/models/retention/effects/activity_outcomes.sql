{%- set days = var('effect_window_days') -%}
{%- set matched_kinds = ['revisit', 'training', 'community'] -%}
{%- set recency_bands = var('comparison_recency_days') -%}
{%- set order_bands = var('comparison_orders') -%}
{%- set tenure_bands = var('comparison_tenure_days') -%}
{%- set window_bands = var('comparison_window_orders') -%}

with assignments as (
    select * from {{ ref('activity_assignments') }}
),

activity_events as (
    select * from {{ ref('activity_events') }}
),

customer_days as (
    select * from {{ ref('int_customer_days') }}
),

returns as (
    select * from {{ ref('int_returns') }}
),

lifecycle_history as (
    select * from {{ ref('lifecycle_history') }}
),

tickets as (
    select * from {{ ref('stg_tickets') }}
),

customers as (
    select * from {{ ref('stg_customers') }}
),

surveys as (
    select * from {{ ref('stg_surveys') }}
),

erasure_requests as (
    select distinct customer_id from {{ ref('stg_erasure_requests') }}
),

supplied as (
    select coalesce(bool_or(given) filter (where table_name = 'tickets'), false) as tickets
    from {{ ref('source_inventory') }}
),

-- days on which a customer could have been treated as others were: one a quarter, drawn by lot
quarters as (
    select distinct cast(date_trunc('quarter', assigned_on) as date) as first_on
    from assignments
    where comparison = 'matched'
),

buyers as (
    select
        customer_days.customer_id,
        customer_days.ordered_on as first_order_on
    from customer_days
    anti join erasure_requests on customer_days.customer_id = erasure_requests.customer_id
    where customer_days.order_day_number = 1
),

drawn as (
    select
        buyers.customer_id,
        buyers.first_order_on,
        {{ days_after('quarters.first_on', 'floor(90 * ' ~ stable_share(["'comparison'", 'buyers.customer_id', 'quarters.first_on']) ~ ')') }}
            as assigned_on
    from buyers
    cross join quarters
),

-- a comparison may be treated later: whoever is left out for what came later would have been picked by his future
comparisons as (
    select
        drawn.customer_id,
        drawn.assigned_on
        {%- for kind in matched_kinds %},
        count(activity_events.customer_id) filter (where activity_events.activity_kind = '{{ kind }}') = 0 as free_of_{{ kind }}
        {%- endfor %}
    from drawn
    left join activity_events
        on
            drawn.customer_id = activity_events.customer_id
            and drawn.assigned_on >= activity_events.occurred_on
            and {{ days_after('activity_events.occurred_on', days) }} >= drawn.assigned_on
    where drawn.first_order_on < drawn.assigned_on and {{ days_after('drawn.assigned_on', 30) }} <= {{ as_of() }}
    group by drawn.customer_id, drawn.assigned_on
),

points as (
    select
        customer_id,
        assigned_on
        {%- for kind in matched_kinds %},
        bool_or(free_of_{{ kind }}) as free_of_{{ kind }}
        {%- endfor %}
    from (
        select * from comparisons
        union all
        select
            customer_id,
            assigned_on
            {%- for kind in matched_kinds %},
            false as free_of_{{ kind }}
            {%- endfor %}
        from assignments
    ) as together
    group by customer_id, assigned_on
),

bought as (
    select
        points.customer_id,
        points.assigned_on
        {%- for window in [30, 60, days] | unique %},
        sum(customer_days.orders) filter (
            where customer_days.ordered_on > points.assigned_on
            and customer_days.ordered_on <= {{ days_after('points.assigned_on', window) }}
        ) as orders_{{ window }},
        sum(customer_days.orders) filter (
            where customer_days.ordered_on < points.assigned_on
            and customer_days.ordered_on >= {{ days_after('points.assigned_on', '-' ~ window) }}
        ) as orders_{{ window }}_before
        {%- endfor %},
        sum(customer_days.profit_amount) filter (
            where customer_days.ordered_on > points.assigned_on
            and customer_days.ordered_on <= {{ days_after('points.assigned_on', days) }}
        ) as profit,
        sum(customer_days.profit_amount) filter (
            where customer_days.ordered_on < points.assigned_on
            and customer_days.ordered_on >= {{ days_after('points.assigned_on', '-' ~ days) }}
        ) as profit_before,
        {%- for at, back in [('then', 0), ('before', days)] %}
        max(customer_days.ordered_on) filter (
            where customer_days.ordered_on < {{ days_after('points.assigned_on', '-' ~ back) }}
        ) as last_order_on_{{ at }},
        min(customer_days.ordered_on) filter (
            where customer_days.ordered_on < {{ days_after('points.assigned_on', '-' ~ back) }}
        ) as first_order_on_{{ at }},
        sum(customer_days.orders) filter (
            where customer_days.ordered_on < {{ days_after('points.assigned_on', '-' ~ back) }}
            and customer_days.ordered_on >= {{ days_after('points.assigned_on', '-' ~ back ~ ' - ' ~ days) }}
        ) as window_orders_{{ at }},
        max(customer_days.orders_so_far) filter (
            where customer_days.ordered_on < {{ days_after('points.assigned_on', '-' ~ back) }}
        ) as orders_so_far_{{ at }},
        sum(customer_days.profit_amount) filter (
            where customer_days.ordered_on < {{ days_after('points.assigned_on', '-' ~ back) }}
        ) as profit_so_far_{{ at }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from points
    left join customer_days
        on
            points.customer_id = customer_days.customer_id
            and customer_days.ordered_on <= {{ days_after('points.assigned_on', days) }}
    group by points.customer_id, points.assigned_on
),

given_back as (
    select
        points.customer_id,
        points.assigned_on,
        sum(returns.profit_amount) filter (where returns.returned_on > points.assigned_on) as profit,
        sum(returns.profit_amount) filter (where returns.returned_on < points.assigned_on) as profit_before
    from points
    inner join returns
        on
            points.customer_id = returns.customer_id
            and returns.returned_on <= {{ days_after('points.assigned_on', days) }}
            and returns.returned_on >= {{ days_after('points.assigned_on', '-' ~ days) }}
    group by points.customer_id, points.assigned_on
),

stages as (
    select
        points.customer_id,
        points.assigned_on
        {%- for at, day in [('before', '-' ~ days ~ ' - 1'), ('then', -1), ('at_end', days)] %},
        max(lifecycle_history.stage) filter (
            where lifecycle_history.valid_from <= {{ days_after('points.assigned_on', day) }}
            and coalesce(lifecycle_history.valid_to > {{ days_after('points.assigned_on', day) }}, true)
        ) as stage_{{ at }}
        {%- endfor %}
    from points
    inner join lifecycle_history
        on
            points.customer_id = lifecycle_history.customer_id
            and lifecycle_history.valid_from <= {{ days_after('points.assigned_on', days) }}
            and coalesce(lifecycle_history.valid_to > {{ days_after('points.assigned_on', '-' ~ days ~ ' - 1') }}, true)
    group by points.customer_id, points.assigned_on
),

complained as (
    select
        points.customer_id,
        points.assigned_on,
        count(*) filter (where tickets.opened_on > points.assigned_on) as complaints,
        count(*) filter (where tickets.opened_on < points.assigned_on) as complaints_before
    from points
    inner join tickets
        on
            points.customer_id = tickets.customer_id
            and tickets.kind = 'complaint'
            and tickets.opened_on <= {{ days_after('points.assigned_on', days) }}
            and tickets.opened_on >= {{ days_after('points.assigned_on', '-' ~ days) }}
    group by points.customer_id, points.assigned_on
),

answered as (
    select
        points.customer_id,
        points.assigned_on,
        {{ exact_avg('case when surveys.responded_on > points.assigned_on then surveys.score end') }} as satisfaction,
        {{ exact_avg('case when surveys.responded_on < points.assigned_on then surveys.score end') }} as satisfaction_before
    from points
    inner join surveys
        on
            points.customer_id = surveys.customer_id
            and surveys.survey = 'csat'
            and surveys.score is not null
            and surveys.responded_on <= {{ days_after('points.assigned_on', days) }}
            and surveys.responded_on >= {{ days_after('points.assigned_on', '-' ~ days) }}
    group by points.customer_id, points.assigned_on
),

-- ranked by profit so far, once per quarter: what the value tier would have said at the time
ranked as (
    select
        bought.*
        {%- for at in ['then', 'before'] %},
        percent_rank() over (
            partition by date_trunc('quarter', bought.assigned_on), bought.orders_so_far_{{ at }} is null
            order by bought.profit_so_far_{{ at }}
        ) as profit_rank_{{ at }}
        {%- endfor %}
    from bought
),

final as (
    select
        points.customer_id,
        points.assigned_on,
        {%- for kind in matched_kinds %}
        points.free_of_{{ kind }},
        {%- endfor %}
        stages.stage_then as stage,
        {%- for at, back in [('then', 0), ('before', days)] %}
        case
            when ranked.orders_so_far_{{ at }} is not null then
                {{ campaign_cycle('points.assigned_on') }}
                || '|' || stages.stage_{{ at }}
                || '|' || case when customers.company_name is not null then 'company' else 'person' end
                || '|' || case when customers.owner_id is not null then 'owned' else 'free' end
                || '|' || case
                    when ranked.profit_rank_{{ at }} >= 1 - {{ var('value_core_share') }} then 'core'
                    when ranked.profit_rank_{{ at }} >= 1 - {{ var('value_core_share') }} - {{ var('value_potential_share') }}
                        then 'potential'
                    else 'general'
                end
                || '|' || cast({{ band(days_between('ranked.last_order_on_' ~ at, days_after('points.assigned_on', '-' ~ back)), recency_bands) }} as string)
                || '|' || cast({{ band(days_between('ranked.first_order_on_' ~ at, days_after('points.assigned_on', '-' ~ back)), tenure_bands) }} as string)
                || '|' || cast({{ band('ranked.orders_so_far_' ~ at, order_bands) }} as string)
                || '|' || cast({{ band('coalesce(ranked.window_orders_' ~ at ~ ', 0)', window_bands) }} as string)
        end as {{ 'stratum' if at == 'then' else 'stratum_before' }},
        {%- endfor %}
        {%- for window in [30, 60, days] | unique %}
        case
            when {{ days_after('points.assigned_on', window) }} <= {{ as_of() }}
                then cast(least(coalesce(ranked.orders_{{ window }}, 0), 1) as integer)
        end as bought{{ '_' ~ window if window != days }},
        cast(least(coalesce(ranked.orders_{{ window }}_before, 0), 1) as integer)
            as bought{{ '_' ~ window if window != days }}_before,
        {%- endfor %}
        {{ days_after('points.assigned_on', days) }} as window_ends_on,
        {{ days_after('points.assigned_on', days) }} <= {{ as_of() }} as is_over,
        case when is_over then cast(coalesce(ranked.orders_{{ days }}, 0) as integer) end as orders,
        cast(coalesce(ranked.orders_{{ days }}_before, 0) as integer) as orders_before,
        case
            when is_over then cast(coalesce(ranked.profit, 0) - coalesce(given_back.profit, 0) as decimal(18, 2))
        end as profit,
        cast(coalesce(ranked.profit_before, 0) - coalesce(given_back.profit_before, 0) as decimal(18, 2))
            as profit_before,
        case when is_over then cast(coalesce(stages.stage_at_end = 'churned', false) as integer) end as churned,
        cast(coalesce(stages.stage_then = 'churned', false) as integer) as churned_before,
        case when is_over and supplied.tickets then cast(coalesce(complained.complaints, 0) as integer) end as complaints,
        case when supplied.tickets then cast(coalesce(complained.complaints_before, 0) as integer) end
            as complaints_before,
        case when is_over then cast(answered.satisfaction as decimal(18, 2)) end as satisfaction,
        cast(answered.satisfaction_before as decimal(18, 2)) as satisfaction_before
    from points
    cross join supplied
    left join customers on points.customer_id = customers.customer_id
    left join ranked on points.customer_id = ranked.customer_id and points.assigned_on = ranked.assigned_on
    left join given_back on points.customer_id = given_back.customer_id and points.assigned_on = given_back.assigned_on
    left join stages on points.customer_id = stages.customer_id and points.assigned_on = stages.assigned_on
    left join complained on points.customer_id = complained.customer_id and points.assigned_on = complained.assigned_on
    left join answered on points.customer_id = answered.customer_id and points.assigned_on = answered.assigned_on
)

select * from final
