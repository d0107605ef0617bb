{# What service did in a month, by whatever groups tickets (`team`, `handler_id`): CTEs up to `figures`, for the model to
   finish. First answers, service levels and first contact resolution belong to the month in which a ticket was opened,
   the time to the resolution to that in which it was resolved: so no figure of a finished month waits for a ticket. #}
{%- macro service_months(group) -%}
tickets as (
    select
        *,
        {{ group }} as group_id
    from {{ ref('fct_tickets') }}
    where {{ group }} is not null
),

months as (
    {{ month_spine('opened_on', 'tickets') }}
),

opened as (
    select
        {{ month_start('opened_on') }} as month_start_on,
        group_id,
        count(*) as tickets,
        count(*) filter (where kind = 'complaint') as complaints,
        count(*) filter (where kind = 'praise') as praises,
        count(*) filter (where channel_group = 'chat') as chat_tickets,
        count(first_response_minutes) as answered_tickets,
        median(first_response_minutes) as median_first_response_minutes,
        round(percentile_cont(0.9) within group (order by first_response_minutes), 3) as p90_first_response_minutes,
        count(is_answered_in_time) as response_due_tickets,
        count(*) filter (where is_answered_in_time) as answered_in_time,
        count(is_resolved_in_time) as resolution_due_tickets,
        count(*) filter (where is_resolved_in_time) as resolved_in_time,
        count(is_solved_at_once) as followed_tickets,
        count(*) filter (where is_solved_at_once) as tickets_solved_at_once
    from tickets
    group by {{ month_start('opened_on') }}, group_id
),

resolved as (
    select
        {{ month_start('resolved_on') }} as month_start_on,
        group_id,
        count(*) as resolved_tickets,
        -- as doubles: between two decimals, one engine cuts the mean to their digits and the other does not
        round(median(cast(resolution_hours as double)), 3) as median_resolution_hours,
        round(percentile_cont(0.9) within group (order by cast(resolution_hours as double)), 3) as p90_resolution_hours,
        count(satisfaction) as rated_tickets,
        count(*) filter (where satisfaction >= 4) as satisfied_ratings
    from tickets
    where not is_open
    group by {{ month_start('resolved_on') }}, group_id
),

left_open as (
    select
        months.month_start_on,
        tickets.group_id,
        count(*) as open_tickets,
        max({{ days_between('tickets.opened_on', 'months.month_end_on') }}) as oldest_open_days
    from months
    inner join tickets
        on
            months.month_end_on >= tickets.opened_on
            and (tickets.resolved_on is null or months.month_end_on < tickets.resolved_on)
    group by months.month_start_on, tickets.group_id
),

busy as (
    select month_start_on, group_id from opened
    union
    select month_start_on, group_id from resolved
    union
    select month_start_on, group_id from left_open
),

measured as (
    select
        busy.month_start_on,
        busy.group_id,
        months.month_end_on <= {{ as_of() }} as is_finished,
        {{ measure('opened.tickets') }} as tickets,
        {{ measure('opened.complaints') }} as complaints,
        {{ measure('opened.praises') }} as praises,
        {{ measure('opened.chat_tickets') }} as chat_tickets,
        {{ measure('resolved.resolved_tickets') }} as resolved_tickets,
        {{ measure('left_open.open_tickets') }} as open_tickets,
        case when months.month_end_on <= {{ as_of() }} then cast(left_open.oldest_open_days as integer) end as oldest_open_days,
        {{ measure('opened.answered_tickets') }} as answered_tickets,
        case
            when months.month_end_on <= {{ as_of() }} then cast(opened.median_first_response_minutes as double)
        end as median_first_response_minutes,
        case
            when months.month_end_on <= {{ as_of() }} then cast(opened.p90_first_response_minutes as double)
        end as p90_first_response_minutes,
        {{ measure('opened.response_due_tickets') }} as response_due_tickets,
        {{ measure('opened.answered_in_time') }} as answered_in_time,
        case
            when months.month_end_on <= {{ as_of() }} then cast(resolved.median_resolution_hours as double)
        end as median_resolution_hours,
        case
            when months.month_end_on <= {{ as_of() }} then cast(resolved.p90_resolution_hours as double)
        end as p90_resolution_hours,
        {{ measure('opened.resolution_due_tickets') }} as resolution_due_tickets,
        {{ measure('opened.resolved_in_time') }} as resolved_in_time,
        {{ measure('opened.followed_tickets', window_days=var('fcr_window_days')) }} as followed_tickets,
        {{ measure('opened.tickets_solved_at_once', window_days=var('fcr_window_days')) }} as tickets_solved_at_once,
        {{ measure('resolved.rated_tickets') }} as rated_tickets,
        {{ measure('resolved.satisfied_ratings') }} as satisfied_ratings
    from busy
    inner join months on busy.month_start_on = months.month_start_on
    left join opened on busy.month_start_on = opened.month_start_on and busy.group_id = opened.group_id
    left join resolved on busy.month_start_on = resolved.month_start_on and busy.group_id = resolved.group_id
    left join left_open on busy.month_start_on = left_open.month_start_on and busy.group_id = left_open.group_id
),

figures as (
    select
        month_start_on as month,
        group_id,
        is_finished,
        tickets,
        complaints,
        praises,
        chat_tickets,
        resolved_tickets,
        open_tickets,
        oldest_open_days,
        answered_tickets,
        median_first_response_minutes,
        p90_first_response_minutes,
        response_due_tickets,
        answered_in_time,
        {{ ratio('answered_in_time', 'response_due_tickets') }} as answered_in_time_share,
        median_resolution_hours,
        p90_resolution_hours,
        resolution_due_tickets,
        resolved_in_time,
        {{ ratio('resolved_in_time', 'resolution_due_tickets') }} as resolved_in_time_share,
        followed_tickets,
        tickets_solved_at_once,
        {{ ratio('tickets_solved_at_once', 'followed_tickets') }} as first_contact_resolution,
        rated_tickets,
        satisfied_ratings,
        {{ ratio('satisfied_ratings', 'rated_tickets') }} as ticket_csat
    from measured
)
{%- endmacro -%}

{# The figures that it yields, in their order. #}
{%- macro service_figures() -%}
    {{- return([
        'is_finished', 'tickets', 'complaints', 'praises', 'chat_tickets', 'resolved_tickets', 'open_tickets',
        'oldest_open_days', 'answered_tickets', 'median_first_response_minutes', 'p90_first_response_minutes',
        'response_due_tickets', 'answered_in_time', 'answered_in_time_share', 'median_resolution_hours',
        'p90_resolution_hours', 'resolution_due_tickets', 'resolved_in_time', 'resolved_in_time_share',
        'followed_tickets', 'tickets_solved_at_once', 'first_contact_resolution', 'rated_tickets',
        'satisfied_ratings', 'ticket_csat'
    ]) -}}
{%- endmacro -%}
