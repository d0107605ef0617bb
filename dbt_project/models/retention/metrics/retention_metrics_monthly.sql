{%- set needed_tables = ['surveys', 'tickets', 'returns'] -%}

with churn as (
    select * from {{ ref('service_churn_monthly') }}
),

win_back as (
    select * from {{ ref('win_back_monthly') }}
),

purchases as (
    select * from {{ ref('int_purchases') }}
),

customer_days as (
    select * from {{ ref('int_customer_days') }}
),

returns as (
    select * from {{ ref('int_returns') }}
),

satisfaction as (
    select * from {{ ref('satisfaction_monthly') }}
),

service as (
    select * from {{ ref('service_monthly') }}
),

revenue_at_risk as (
    select * from {{ ref('revenue_at_risk') }}
    where dimension = 'all'
),

past_tasks as (
    select * from {{ ref('past_tasks') }}
),

supplied as (
    select
        {%- for table in needed_tables %}
        coalesce(bool_or(given) filter (where table_name = '{{ table }}'), false)
        {#- orders and lines with a negative amount are returns as well #}
        {{- ' or (select count(*) > 0 from returns)' if table == 'returns' }} as {{ table }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('source_inventory') }}
),

months as (
    {{ month_spine('ordered_on', 'purchases') }}
),

first_orders as (
    select
        {{ month_start('ordered_on') }} as month_start_on,
        count(*) as customers,
        count(*) filter (
            where next_ordered_on <= {{ days_after('ordered_on', var('second_order_window_days')) }}
        ) as second_orders
    from customer_days
    where order_day_number = 1
    group by {{ month_start('ordered_on') }}
),

sales as (
    select
        {{ month_start('ordered_on') }} as month_start_on,
        count(*) as orders,
        sum(net_amount) as net_amount,
        sum(profit_amount) as profit_amount
    from purchases
    group by {{ month_start('ordered_on') }}
),

buyers as (
    select
        {{ month_start('ordered_on') }} as month_start_on,
        count(distinct customer_id) as buyers,
        count(distinct customer_id) filter (
            where first_ordered_on < {{ month_start('ordered_on') }}
        ) as repeat_buyers,
        -- those who were customers when the same month of the year before ended
        sum(net_amount) filter (
            where {{ months_after(month_start('first_ordered_on'), 12) }} <= {{ month_start('ordered_on') }}
        ) as retained_amount
    from customer_days
    group by {{ month_start('ordered_on') }}
),

taken_back as (
    select
        {{ month_start('returned_on') }} as month_start_on,
        sum(amount) as returned_amount
    from returns
    group by {{ month_start('returned_on') }}
),

-- of all tiers
answers as (
    select
        month as month_start_on,
        sum(nps_answers) as nps_answers,
        sum(promoters) as promoters,
        sum(detractors) as detractors,
        sum(csat_answers) as csat_answers,
        sum(satisfied_answers) as satisfied_answers
    from satisfaction
    group by month
),

-- of all teams
solved as (
    select
        month as month_start_on,
        sum(complaints) as complaints,
        sum(followed_tickets) as followed_tickets,
        sum(tickets_solved_at_once) as tickets_solved_at_once
    from service
    group by month
),

at_risk as (
    select
        {{ month_start(as_of()) }} as month_start_on,
        profit_at_risk
    from revenue_at_risk
),

tasks as (
    select
        {{ month_start('listed_on') }} as month_start_on,
        count(*) filter (where arm = 'treatment') as listed,
        count(*) filter (where arm = 'control') as held_out,
        count(*) filter (where arm = 'treatment' and done_on is not null) as answered
    from past_tasks
    group by {{ month_start('listed_on') }}
),

-- before the first list there was nobody who could have been listed
first_lists as (
    select
        min(listed_on) as first_listed_on,
        coalesce(bool_or(done_on is not null), false) as is_recording
    from past_tasks
),

measured as (
    select
        months.month_start_on,
        months.month_end_on,
        months.month_end_on <= {{ as_of() }} as is_finished,
        churn.customers_at_start,
        churn.churned_customers,
        win_back.churned_at_start,
        win_back.won_back_customers,
        {{ measure('first_orders.customers') }} as new_customers,
        churn.silent_units,
        churn.settled_units,
        {{ measure('sales.orders') }} as orders,
        {{ measure('sales.net_amount', 'decimal(18, 2)') }} as net_amount,
        {{ measure('sales.profit_amount', 'decimal(18, 2)') }} as profit_amount,
        {{ measure('buyers.buyers') }} as buyers,
        {{ measure('buyers.repeat_buyers') }} as repeat_buyers,
        {{ measure('first_orders.customers', window_days=var('second_order_window_days')) }} as first_buyers,
        {{ measure('first_orders.second_orders', window_days=var('second_order_window_days')) }} as second_buyers,
        case when year_before.month_start_on is not null then {{ measure('buyers.retained_amount', 'decimal(18, 2)') }} end
            as retained_amount,
        case when year_before.month_start_on is not null then {{ measure('year_before.net_amount', 'decimal(18, 2)') }} end
            as amount_year_before,
        {{ measure('taken_back.returned_amount', 'decimal(18, 2)', needs='returns') }} as returned_amount,
        {{ measure('answers.nps_answers', needs='surveys') }} as nps_answers,
        {{ measure('answers.promoters', needs='surveys') }} as promoters,
        {{ measure('answers.detractors', needs='surveys') }} as detractors,
        {{ measure('answers.csat_answers', needs='surveys') }} as csat_answers,
        {{ measure('answers.satisfied_answers', needs='surveys') }} as satisfied_answers,
        {{ measure('solved.complaints', needs='tickets') }} as complaints,
        {{ measure('solved.followed_tickets', window_days=var('fcr_window_days'), needs='tickets') }} as followed_tickets,
        {{ measure('solved.tickets_solved_at_once', window_days=var('fcr_window_days'), needs='tickets') }} as tickets_solved_at_once,
        case when months.month_end_on >= first_lists.first_listed_on then {{ measure('tasks.listed') }} end as list_tasks,
        case when months.month_end_on >= first_lists.first_listed_on then {{ measure('tasks.held_out') }} end as list_tasks_held_out,
        case when first_lists.is_recording and months.month_end_on >= first_lists.first_listed_on then {{ measure('tasks.answered') }} end as list_tasks_done,
        cast(at_risk.profit_at_risk as decimal(18, 2)) as profit_at_risk
    from months
    cross join supplied
    cross join first_lists
    left join churn on months.month_start_on = churn.month
    left join win_back on months.month_start_on = win_back.month
    left join first_orders on months.month_start_on = first_orders.month_start_on
    left join sales on months.month_start_on = sales.month_start_on
    left join sales as year_before on months.month_start_on = {{ months_after('year_before.month_start_on', 12) }}
    left join buyers on months.month_start_on = buyers.month_start_on
    left join taken_back on months.month_start_on = taken_back.month_start_on
    left join answers on months.month_start_on = answers.month_start_on
    left join solved on months.month_start_on = solved.month_start_on
    left join tasks on months.month_start_on = tasks.month_start_on
    left join at_risk on months.month_start_on = at_risk.month_start_on
),

final as (
    select
        month_start_on as month,
        is_finished,
        customers_at_start,
        churned_customers,
        {{ ratio('churned_customers', 'customers_at_start') }} as churn_rate,
        churned_at_start,
        won_back_customers,
        {{ ratio('won_back_customers', 'churned_at_start') }} as win_back_rate,
        new_customers,
        silent_units,
        settled_units,
        {{ ratio('silent_units', 'settled_units') }} as service_churn_rate,
        orders,
        net_amount,
        {{ ratio('net_amount', 'orders') }} as average_order_value,
        profit_amount,
        buyers,
        repeat_buyers,
        {{ ratio('repeat_buyers', 'buyers') }} as repeat_purchase_rate,
        first_buyers,
        second_buyers,
        {{ ratio('second_buyers', 'first_buyers') }} as second_purchase_rate,
        retained_amount,
        amount_year_before,
        {{ ratio('retained_amount', 'amount_year_before') }} as revenue_retention,
        returned_amount,
        {{ ratio('returned_amount', 'net_amount') }} as return_rate,
        nps_answers,
        promoters,
        detractors,
        {{ survey_figure('100 * (promoters - detractors)', 'nps_answers') }} as nps,
        csat_answers,
        satisfied_answers,
        {{ survey_figure('satisfied_answers', 'csat_answers') }} as csat,
        complaints,
        followed_tickets,
        tickets_solved_at_once,
        {{ ratio('tickets_solved_at_once', 'followed_tickets') }} as first_contact_resolution,
        list_tasks,
        list_tasks_held_out,
        list_tasks_done,
        {{ ratio('list_tasks_done', 'list_tasks') }} as list_completion_rate,
        profit_at_risk
    from measured
)

select * from final
