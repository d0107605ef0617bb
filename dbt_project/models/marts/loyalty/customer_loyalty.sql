with

postings as (
    select * from {{ ref('stg_loyalty_ledger') }}
),

member_grades as (
    select
        *,
        lead(member_grade) over (order by position) as next_grade,
        lead(from_points) over (order by position) as next_from_points
    from {{ ref('member_grade') }}
),

-- Points that come in are spent in the order in which they came.
balances as (
    select
        customer_id,
        min(posted_on) as member_since_on,
        sum(points) as points_balance,
        coalesce(sum(points) filter (where kind = 'earn'), 0) as points_earned,
        coalesce(-sum(points) filter (where kind = 'redeem'), 0) as points_redeemed,
        coalesce(-sum(points) filter (where kind = 'expire'), 0) as points_expired,
        coalesce(sum(points) filter (
            where kind = 'earn' and posted_on > {{ days_after(as_of(), -365) }}
        ), 0) as points_earned_12m,
        coalesce(-sum(points) filter (
            where kind = 'redeem' and posted_on > {{ days_after(as_of(), -365) }}
        ), 0) as points_redeemed_12m,
        coalesce(-sum(points) filter (where points < 0), 0) as points_used,
        coalesce(sum(points) filter (
            where points > 0
            and posted_on <= {{ days_after(as_of(), var('points_expiring_days') ~ ' - ' ~ var('points_life_days')) }}
        ), 0) as points_then_too_old,
        max(posted_on) filter (where points > 0) as last_earned_on,
        max(posted_on) filter (where kind = 'redeem') as last_redeemed_on
    from postings
    group by customer_id
),

expiring as (
    select
        *,
        {%- if var('points_live_from') == 'last_earning' %}
        case
            when {{ days_between('last_earned_on', as_of()) }}
                >= {{ var('points_life_days') }} - {{ var('points_expiring_days') }}
                then greatest(points_balance, 0)
            else 0
        end as points_expiring
        {%- else %}
        greatest(least(points_then_too_old - points_used, points_balance), 0) as points_expiring
        {%- endif %}
    from balances
),

final as (
    select
        expiring.customer_id,
        expiring.member_since_on,
        cast(expiring.points_balance as decimal(18, 2)) as points_balance,
        cast(expiring.points_earned as decimal(18, 2)) as points_earned,
        cast(expiring.points_redeemed as decimal(18, 2)) as points_redeemed,
        cast(expiring.points_expired as decimal(18, 2)) as points_expired,
        {{ ratio('expiring.points_redeemed', 'expiring.points_earned') }} as redemption_rate,
        cast(expiring.points_earned_12m as decimal(18, 2)) as points_earned_12m,
        cast(expiring.points_redeemed_12m as decimal(18, 2)) as points_redeemed_12m,
        cast(expiring.points_expiring as decimal(18, 2)) as points_expiring,
        expiring.last_earned_on,
        expiring.last_redeemed_on,
        member_grades.member_grade,
        member_grades.position as member_grade_position,
        member_grades.next_grade,
        cast(member_grades.next_from_points - expiring.points_earned_12m as decimal(18, 2)) as points_to_next_grade
    from expiring
    left join member_grades
        on
            expiring.points_earned_12m >= member_grades.from_points
            and (expiring.points_earned_12m < member_grades.next_from_points or member_grades.next_from_points is null)
)

select * from final
