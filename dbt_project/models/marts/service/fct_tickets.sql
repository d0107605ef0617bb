with

tickets as (
    select * from {{ ref('stg_tickets') }}
),

reps as (
    select * from {{ ref('dim_rep') }}
),

channels as (
    select * from {{ ref('service_channel') }}
),

service_levels as (
    select * from {{ ref('service_level') }}
),

erasure_requests as (
    select distinct customer_id from {{ ref('stg_erasure_requests') }}
),

-- a time that the source does not deliver was not missed
supplied as (
    {{ columns_given(ref('source_inventory'), 'tickets', {
        'has_first_response_at': 'first_response_at', 'has_resolved_at': 'resolved_at'
    }) }}
),

-- the same subject again after it had been resolved
returned_subjects as (
    select
        tickets.ticket_id,
        min({{ minutes_between('tickets.resolved_at', 'later.opened_at') }}) as minutes_until_back
    from tickets
    inner join tickets as later
        on
            tickets.customer_id = later.customer_id
            and coalesce(tickets.category, '') = coalesce(later.category, '')
            and tickets.resolved_at < later.opened_at
            and {{ days_after('tickets.resolved_on', var('fcr_window_days')) }} >= later.opened_on
    group by tickets.ticket_id
),

complaints as (
    select
        ticket_id,
        lag(opened_on) over (partition by customer_id order by opened_at, ticket_id) as previous_opened_on
    from tickets
    where kind = 'complaint'
),

followed as (
    select
        *,
        lead(opened_on) over (partition by customer_id order by opened_at, ticket_id) as next_opened_on,
        -- who solves a ticket without answering first has answered with the solution
        least(first_response_at, resolved_at) as answered_at
    from tickets
),

timed as (
    select
        followed.*,
        supplied.has_first_response_at,
        supplied.has_resolved_at,
        coalesce(answered_at < opened_at or resolved_at < opened_at, false) as has_implausible_times,
        {{ minutes_between('opened_at', 'answered_at') }} as minutes_to_answer,
        {{ minutes_between('opened_at', 'resolved_at') }} as minutes_to_resolution,
        {{ minutes_between('opened_at', as_of_end()) }} as minutes_so_far,
        coalesce(named.first_response_minutes, others.first_response_minutes) as target_response_minutes,
        coalesce(named.resolution_hours, others.resolution_hours) as target_resolution_hours
    from followed
    cross join supplied
    left join service_levels as named on lower(followed.severity) = named.severity
    left join service_levels as others on others.severity = 'other'
),

final as (
    select
        timed.ticket_id,
        timed.customer_id,
        timed.opened_at,
        timed.opened_on,
        timed.kind,
        case when erasure_requests.customer_id is null then timed.channel end as channel,
        case
            when erasure_requests.customer_id is null and timed.channel is not null
                then coalesce(channels.channel_group, 'other')
        end as channel_group,
        case when erasure_requests.customer_id is null then timed.category end as category,
        case when erasure_requests.customer_id is null then timed.cause end as cause,
        timed.product_id,
        case when erasure_requests.customer_id is null then timed.severity end as severity,
        timed.handler_id,
        reps.team,
        timed.first_response_at,
        timed.first_response_on,
        timed.resolved_at,
        timed.resolved_on,
        timed.resolved_at is null as is_open,
        case
            when timed.resolved_at is null then cast({{ days_between('timed.opened_on', as_of()) }} as integer)
        end as open_age_days,
        timed.resolution is not null as is_resolution_recorded,
        timed.satisfaction,
        timed.has_implausible_times,
        case
            when timed.has_first_response_at and not timed.has_implausible_times then timed.minutes_to_answer
        end as first_response_minutes,
        case
            when not timed.has_implausible_times
                then cast(timed.minutes_to_resolution / cast(60 as decimal(4, 0)) as decimal(12, 2))
        end as resolution_hours,
        timed.target_response_minutes,
        timed.target_resolution_hours,
        case
            when timed.has_implausible_times or not timed.has_first_response_at then null
            when timed.minutes_to_answer is not null then timed.minutes_to_answer <= timed.target_response_minutes
            when timed.minutes_so_far > timed.target_response_minutes then false
        end as is_answered_in_time,
        case
            when timed.has_implausible_times or not timed.has_resolved_at then null
            when timed.minutes_to_resolution is not null
                then timed.minutes_to_resolution <= 60 * timed.target_resolution_hours
            when timed.minutes_so_far > 60 * timed.target_resolution_hours then false
        end as is_resolved_in_time,
        case
            when
                timed.has_resolved_at
                and {{ days_after('timed.opened_on', var('fcr_window_days')) }} <= {{ as_of() }}
                then
                    coalesce(timed.resolved_on <= {{ days_after('timed.opened_on', var('fcr_window_days')) }}, false)
                    and coalesce(
                        timed.next_opened_on > {{ days_after('timed.opened_on', var('fcr_window_days')) }}, true
                    )
        end as is_solved_at_once,
        case
            when {{ days_after('timed.resolved_on', var('fcr_window_days')) }} <= {{ as_of() }}
                then returned_subjects.ticket_id is not null
        end as is_back_again,
        cast(returned_subjects.minutes_until_back / cast(60 as decimal(4, 0)) as decimal(12, 2)) as hours_until_back,
        case
            when timed.kind = 'complaint' then coalesce(
                timed.opened_on <= {{ days_after('complaints.previous_opened_on', var('repeat_complaint_days')) }}, false
            )
        end as is_repeat_complaint,
        coalesce(timed.kind = 'complaint', false)
        or coalesce(timed.satisfaction <= {{ var('low_ticket_satisfaction') }}, false) as is_negative
    from timed
    left join reps on timed.handler_id = reps.rep_id
    left join channels on lower(timed.channel) = channels.channel
    left join complaints on timed.ticket_id = complaints.ticket_id
    left join returned_subjects on timed.ticket_id = returned_subjects.ticket_id
    left join erasure_requests on timed.customer_id = erasure_requests.customer_id
)

select * from final
