with

tier_history as (
    select * from {{ ref('tier_history') }}
),

months as (
    {{ month_spine('valid_from', 'tier_history') }}
),

tiers as (
    select distinct value_tier from {{ ref('tier_policy') }}
),

moves as (
    select
        valid_from as month_end_on,
        previous_tier as from_tier,
        value_tier as to_tier,
        count(*) as customers
    from tier_history
    group by valid_from, previous_tier, value_tier
),

came as (
    select
        month_end_on,
        to_tier,
        sum(customers) as customers
    from moves
    group by month_end_on, to_tier
),

went as (
    select
        month_end_on,
        from_tier,
        sum(customers) as customers
    from moves
    group by month_end_on, from_tier
),

-- How many had the tier when the month ended: whoever came less whoever went, up to then.
sizes as (
    select
        last_day(months.month_start_on) as month_end_on,
        tiers.value_tier,
        sum(coalesce(came.customers, 0) - coalesce(went.customers, 0)) over (
            partition by tiers.value_tier order by months.month_start_on
        ) as customers
    from months
    cross join tiers
    left join came on last_day(months.month_start_on) = came.month_end_on and tiers.value_tier = came.to_tier
    left join went on last_day(months.month_start_on) = went.month_end_on and tiers.value_tier = went.from_tier
),

-- Whoever had the tier a month before and did not leave it.
stays as (
    select
        sizes.month_end_on,
        sizes.value_tier as from_tier,
        sizes.value_tier as to_tier,
        before.customers - coalesce(went.customers, 0) as customers
    from sizes
    inner join sizes as before
        on
            before.month_end_on = {{ days_after(month_start('sizes.month_end_on'), -1) }}
            and sizes.value_tier = before.value_tier
    left join went on sizes.month_end_on = went.month_end_on and sizes.value_tier = went.from_tier
),

-- The first month has nothing before it that customers could have come from.
all_moves as (
    select * from moves
    where month_end_on > (select min(valid_from) from tier_history)
    union all
    select * from stays
),

final as (
    select
        {{ month_start('all_moves.month_end_on') }} as month,
        coalesce(all_moves.from_tier, 'none') as from_tier,
        all_moves.to_tier,
        cast(all_moves.customers as integer) as customers,
        cast(before.customers as integer) as customers_in_from_tier,
        {{ ratio('all_moves.customers', 'before.customers') }} as share_of_from_tier
    from all_moves
    left join sizes as before
        on
            before.month_end_on = {{ days_after(month_start('all_moves.month_end_on'), -1) }}
            and all_moves.from_tier = before.value_tier
    where all_moves.customers > 0
)

select * from final
