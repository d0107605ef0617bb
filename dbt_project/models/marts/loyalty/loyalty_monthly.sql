with

postings as (
    select * from {{ ref('stg_loyalty_ledger') }}
),

months as (
    {{ month_spine('posted_on', 'postings') }}
),

flows as (
    select
        {{ month_start('posted_on') }} as month_start_on,
        count(distinct customer_id) as active_members,
        coalesce(sum(points) filter (where kind = 'earn'), 0) as points_earned,
        coalesce(-sum(points) filter (where kind = 'redeem'), 0) as points_redeemed,
        coalesce(-sum(points) filter (where kind = 'expire'), 0) as points_expired,
        coalesce(sum(points) filter (where kind = 'adjust'), 0) as points_adjusted,
        sum(points) as points
    from postings
    group by {{ month_start('posted_on') }}
),

first_postings as (
    select
        customer_id,
        min(posted_on) as posted_on
    from postings
    group by customer_id
),

joined as (
    select
        {{ month_start('posted_on') }} as month_start_on,
        count(*) as members
    from first_postings
    group by {{ month_start('posted_on') }}
),

-- What came in and what went out, laid end to end: the first point in is the first one out.
laid_out as (
    select
        customer_id,
        {{ month_start('posted_on') }} as month_start_on,
        kind,
        points > 0 as is_in,
        sum(abs(points)) over (
            partition by customer_id, points > 0
            order by posted_at, entry_id
            rows between unbounded preceding and current row
        ) as ends_at,
        abs(points) as points
    from postings
    where points <> 0
),

fates as (
    select
        came.month_start_on,
        sum(least(came.ends_at, went.ends_at) - greatest(came.ends_at - came.points, went.ends_at - went.points))
            filter (where went.kind = 'redeem') as redeemed,
        sum(least(came.ends_at, went.ends_at) - greatest(came.ends_at - came.points, went.ends_at - went.points))
            filter (where went.kind = 'expire') as expired,
        sum(least(came.ends_at, went.ends_at) - greatest(came.ends_at - came.points, went.ends_at - went.points)) as settled
    from laid_out as came
    inner join laid_out as went
        on
            came.customer_id = went.customer_id
            and came.ends_at > went.ends_at - went.points
            and went.ends_at > came.ends_at - came.points
    where came.is_in and not went.is_in
    group by came.month_start_on
),

came_in as (
    select
        month_start_on,
        sum(points) as points
    from laid_out
    where is_in
    group by month_start_on
),

measured as (
    select
        months.month_start_on,
        last_day(months.month_start_on) as month_end_on,
        last_day(months.month_start_on) <= {{ as_of() }} as is_finished,
        sum(coalesce(joined.members, 0)) over so_far as members,
        coalesce(flows.active_members, 0) as active_members,
        coalesce(flows.points_earned, 0) as points_earned,
        coalesce(flows.points_redeemed, 0) as points_redeemed,
        coalesce(flows.points_expired, 0) as points_expired,
        coalesce(flows.points_adjusted, 0) as points_adjusted,
        sum(coalesce(flows.points, 0)) over so_far as points_balance,
        coalesce(came_in.points, 0) as points_in,
        coalesce(fates.redeemed, 0) as redeemed_of_these,
        coalesce(fates.expired, 0) as expired_of_these,
        coalesce(came_in.points, 0) - coalesce(fates.settled, 0) as open_of_these
    from months
    left join flows on months.month_start_on = flows.month_start_on
    left join joined on months.month_start_on = joined.month_start_on
    left join came_in on months.month_start_on = came_in.month_start_on
    left join fates on months.month_start_on = fates.month_start_on
    window so_far as (order by months.month_start_on rows between unbounded preceding and current row)
),

-- A month that is not over says nothing yet. Points that live on with each earning may stay open for years: until the last
-- of a month's points has gone, its breakage lies between two bounds.
final as (
    select
        month_start_on as month,
        is_finished,
        case when is_finished then cast(members as integer) end as members,
        case when is_finished then cast(active_members as integer) end as active_members,
        case when is_finished then cast(points_earned as decimal(18, 2)) end as points_earned,
        case when is_finished then cast(points_redeemed as decimal(18, 2)) end as points_redeemed,
        case when is_finished then cast(points_expired as decimal(18, 2)) end as points_expired,
        case when is_finished then cast(points_adjusted as decimal(18, 2)) end as points_adjusted,
        case when is_finished then {{ ratio('points_redeemed', 'points_earned') }} end as redemption_rate,
        case when is_finished then cast(points_balance as decimal(18, 2)) end as points_balance,
        case when is_finished then cast(points_in as decimal(18, 2)) end as cohort_points,
        case when is_finished then cast(redeemed_of_these as decimal(18, 2)) end as cohort_points_redeemed,
        case when is_finished then cast(expired_of_these as decimal(18, 2)) end as cohort_points_expired,
        case when is_finished then cast(open_of_these as decimal(18, 2)) end as cohort_points_open,
        case when is_finished then {{ ratio('expired_of_these', 'points_in') }} end as breakage_at_least,
        case when is_finished then {{ ratio('expired_of_these + open_of_these', 'points_in') }} end as breakage_at_most,
        case when is_finished and open_of_these = 0 then {{ ratio('expired_of_these', 'points_in') }} end as breakage_rate
    from measured
)

select * from final
