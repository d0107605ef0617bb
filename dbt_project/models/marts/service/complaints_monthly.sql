with

tickets as (
    select * from {{ ref('fct_tickets') }}
),

complaints as (
    select
        *,
        {{ month_start('opened_on') }} as month
    from tickets
    where kind = 'complaint'
),

grouped as (
    select
        month,
        coalesce(category, 'unknown') as category,
        case when is_open then 'not_found_yet' else coalesce(cause, 'unknown') end as cause,
        coalesce(product_id, 'none') as product_id,
        count(*) as complaints,
        count(distinct customer_id) as customers,
        count(*) filter (where is_repeat_complaint) as repeat_complaints,
        count(*) filter (where is_open) as open_complaints,
        cast(coalesce(sum(resolution_hours), 0) as decimal(18, 2)) as resolution_hours,
        count(resolution_hours) as timed_complaints,
        count(is_answered_in_time) as response_due_complaints,
        count(*) filter (where is_answered_in_time) as answered_in_time,
        count(is_resolved_in_time) as resolution_due_complaints,
        count(*) filter (where is_resolved_in_time) as resolved_in_time,
        count(satisfaction) as rated_complaints,
        count(*) filter (where satisfaction >= 4) as satisfied_ratings
    from complaints
    where {{ months_after('month', 1) }} <= {{ days_after(as_of(), 1) }}
    group by all
),

final as (
    select
        month,
        category,
        cause,
        product_id,
        complaints,
        cast(sum(complaints) over (partition by month) as bigint) as complaints_of_month,
        {{ ratio('complaints', 'sum(complaints) over (partition by month)') }} as share_of_month,
        customers,
        repeat_complaints,
        {{ ratio('repeat_complaints', 'complaints') }} as repeat_complaint_rate,
        open_complaints,
        timed_complaints,
        resolution_hours,
        {{ ratio('resolution_hours', 'timed_complaints') }} as average_resolution_hours,
        response_due_complaints,
        answered_in_time,
        {{ ratio('answered_in_time', 'response_due_complaints') }} as answered_in_time_share,
        resolution_due_complaints,
        resolved_in_time,
        {{ ratio('resolved_in_time', 'resolution_due_complaints') }} as resolved_in_time_share,
        rated_complaints,
        satisfied_ratings
    from grouped
)

select * from final
