{%- set grace = var('follow_up_grace_days') -%}
{%- set supplying = ['interactions', 'opportunities', 'surveys', 'tickets'] -%}
with

owners as (
    select * from {{ ref('int_customer_owners') }}
    where owner_id is not null
),

reps as (
    select * from {{ ref('dim_rep') }}
),

owner_months as (
    select * from {{ ref('int_owner_months') }}
),

revisit_monthly as (
    select * from {{ ref('revisit_monthly') }}
),

interactions as (
    select * from {{ ref('fct_interactions') }}
),

opportunities as (
    select * from {{ ref('fct_opportunities') }}
),

lifecycle_history as (
    select * from {{ ref('lifecycle_history') }}
),

supplied as (
    select
        {%- for table in supplying %}
        coalesce(bool_or(given) filter (where table_name = '{{ table }}'), false) as {{ table }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('source_inventory') }}
),

customers as (
    select
        month_start_on as month,
        owner_id,
        count(*) filter (where stage <> 'churned') as customers_at_start,
        count(*) filter (where stage <> 'churned' and value_tier = 'core') as core_customers_at_start
    from owner_months
    group by month_start_on, owner_id
),

revisits as (
    select
        month,
        owner_id,
        sum(due) as revisits_due,
        sum(done) as revisits_done,
        sum(reached) as revisits_reached,
        sum(overdue) as revisits_overdue,
        sum(returned_90d) as revisits_returned
    from revisit_monthly
    group by month, owner_id
),

-- by whoever made them, whomever they were made for
contacts as (
    select
        {{ month_start('occurred_on') }} as month,
        owner_id,
        count(*) as contacts,
        count(*) filter (where is_attempt) as attempts,
        count(*) filter (where is_attempt and is_conversation) as attempts_reached,
        count(distinct customer_id) as customers_contacted
    from interactions
    group by {{ month_start('occurred_on') }}, owner_id
),

-- by whoever promised, in the month for which it was promised
promises as (
    select
        {{ month_start('next_follow_up_on') }} as month,
        owner_id,
        count(*) as follow_ups_due,
        count(*) filter (where follow_up_state = 'kept') as follow_ups_kept,
        count(*) filter (where follow_up_state = 'late') as follow_ups_late,
        count(*) filter (where follow_up_state in ('missed', 'unanswered')) as follow_ups_missed
    from interactions
    where next_follow_up_on is not null
    group by {{ month_start('next_follow_up_on') }}, owner_id
),

moves as (
    select
        {{ month_start('lifecycle_history.valid_from') }} as month,
        owners.owner_id,
        count(distinct lifecycle_history.customer_id) filter (where lifecycle_history.stage = 'churned')
            as customers_lost,
        count(distinct lifecycle_history.customer_id) filter (where lifecycle_history.stage = 'won_back')
            as customers_won_back,
        count(distinct lifecycle_history.customer_id) filter (where lifecycle_history.stage = 'new') as customers_gained
    from lifecycle_history
    inner join owners
        on lifecycle_history.customer_id = owners.customer_id
        and lifecycle_history.valid_from >= owners.valid_from
        and (owners.valid_to is null or lifecycle_history.valid_from < owners.valid_to)
    where lifecycle_history.stage in ('churned', 'won_back', 'new')
    group by {{ month_start('lifecycle_history.valid_from') }}, owners.owner_id
),

quotes as (
    select
        {{ month_start('quoted_on') }} as month,
        owner_id,
        count(*) as opportunities_quoted,
        sum(quoted_amount) as quoted_amount
    from opportunities
    group by {{ month_start('quoted_on') }}, owner_id
),

deals as (
    select
        {{ month_start('closed_on') }} as month,
        owner_id,
        count(*) as opportunities_closed,
        count(*) filter (where status = 'won') as opportunities_won,
        count(*) filter (where status = 'lost') as opportunities_lost,
        sum(won_amount) as won_amount
    from opportunities
    group by {{ month_start('closed_on') }}, owner_id
),

-- what customers said, put down to whoever looked after them on the day
voices as (
    select
        customer_id,
        answered_on as said_on,
        survey as voice,
        score
    from {{ ref('fct_surveys') }}
    where is_answered
    union all
    select
        customer_id,
        opened_on as said_on,
        kind as voice,
        null as score
    from {{ ref('stg_tickets') }}
    where kind in ('complaint', 'praise')
),

feedback as (
    select
        {{ month_start('voices.said_on') }} as month,
        owners.owner_id,
        count(*) filter (where voices.voice = 'csat') as csat_answers,
        count(*) filter (where voices.voice = 'csat' and voices.score >= 4) as satisfied_answers,
        count(*) filter (where voices.voice = 'nps') as nps_answers,
        count(*) filter (where voices.voice = 'nps' and voices.score >= 9) as promoters,
        count(*) filter (where voices.voice = 'nps' and voices.score <= 6) as detractors,
        count(*) filter (where voices.voice = 'complaint') as complaints,
        count(*) filter (where voices.voice = 'praise') as praises
    from voices
    inner join owners
        on voices.customer_id = owners.customer_id
        and voices.said_on >= owners.valid_from
        and (owners.valid_to is null or voices.said_on < owners.valid_to)
    group by {{ month_start('voices.said_on') }}, owners.owner_id
),

tickets as (
    select
        {{ month_start('opened_on') }} as month,
        handler_id as owner_id,
        count(*) as tickets_handled
    from {{ ref('stg_tickets') }}
    group by {{ month_start('opened_on') }}, handler_id
),

parts as (
    {%- for part in ['customers', 'contacts', 'promises', 'moves', 'quotes', 'deals', 'feedback'] %}
    select
        month,
        owner_id
    from {{ part }}
    {{ 'union' if not loop.last }}
    {%- endfor %}
),

months as (
    select distinct
        month,
        {{ days_after(months_after('month', 1), -1) }} as month_end_on
    from parts
    where {{ days_after(months_after('month', 1), -1) }} <= {{ as_of() }}
),

employed as (
    select
        months.month,
        reps.rep_id as owner_id
    from months
    cross join reps
    where
        reps.is_recorded
        and coalesce(reps.hired_on <= months.month_end_on, true)
        and coalesce(reps.departed_on >= months.month, true)
),

-- whoever was employed, and whoever left something behind
spine as (
    select
        parts.month,
        parts.owner_id
    from parts
    inner join months on parts.month = months.month
    where parts.owner_id is not null
    union
    select
        month,
        owner_id
    from employed
),

measured as (
    select
        spine.month,
        spine.owner_id,
        reps.team,
        {{ days_after(months_after('spine.month', 1), -1) }} as month_end_on,
        employed.owner_id is not null as is_employed,
        supplied.interactions as has_interactions,
        {%- for column in ['customers_at_start', 'core_customers_at_start'] %}
        coalesce(customers.{{ column }}, 0) as {{ column }},
        {%- endfor %}
        {%- for column in ['customers_gained', 'customers_lost', 'customers_won_back'] %}
        coalesce(moves.{{ column }}, 0) as {{ column }},
        {%- endfor %}
        {%- for column in ['due', 'done', 'reached', 'overdue'] %}
        case when supplied.interactions then coalesce(revisits.revisits_{{ column }}, 0) end as revisits_{{ column }},
        {%- endfor %}
        case
            when
                supplied.interactions
                and {{ days_after(days_after(months_after('spine.month', 1), -1), 90) }} <= {{ as_of() }}
                then coalesce(revisits.revisits_returned, 0)
        end as revisits_returned,
        {%- for column in ['contacts', 'attempts', 'attempts_reached', 'customers_contacted'] %}
        case when supplied.interactions then coalesce(contacts.{{ column }}, 0) end as {{ column }},
        {%- endfor %}
        {%- for column in ['due', 'kept', 'late', 'missed'] %}
        case
            when
                supplied.interactions
                and {{ days_after(days_after(months_after('spine.month', 1), -1), grace) }} < {{ as_of() }}
                then coalesce(promises.follow_ups_{{ column }}, 0)
        end as follow_ups_{{ column }},
        {%- endfor %}
        {%- for part, columns in {
            'quotes': ['opportunities_quoted', 'quoted_amount'],
            'deals': ['opportunities_closed', 'opportunities_won', 'opportunities_lost', 'won_amount']
        }.items() %}
        {%- for column in columns %}
        case when supplied.opportunities then coalesce({{ part }}.{{ column }}, 0) end as {{ column }},
        {%- endfor %}
        {%- endfor %}
        {%- for column in ['csat_answers', 'satisfied_answers', 'nps_answers', 'promoters', 'detractors'] %}
        case when supplied.surveys then coalesce(feedback.{{ column }}, 0) end as {{ column }},
        {%- endfor %}
        {%- for column in ['complaints', 'praises'] %}
        case when supplied.tickets then coalesce(feedback.{{ column }}, 0) end as {{ column }},
        {%- endfor %}
        coalesce(contacts.contacts, 0) + coalesce(quotes.opportunities_quoted, 0) + coalesce(tickets.tickets_handled, 0)
            as records_entered
    from spine
    cross join supplied
    left join reps on spine.owner_id = reps.rep_id
    {%- for part in [
        'employed', 'customers', 'moves', 'revisits', 'contacts', 'promises', 'quotes', 'deals', 'feedback', 'tickets'
    ] %}
    left join {{ part }} on spine.month = {{ part }}.month and spine.owner_id = {{ part }}.owner_id
    {%- endfor %}
),

final as (
    select
        month,
        owner_id,
        team,
        is_employed,
        {{ scorecard_measures(grouped=false) }},
        cast(records_entered as integer) as records_entered,
        case when has_interactions then records_entered > 0 end as is_recording
    from measured
)

select * from final
