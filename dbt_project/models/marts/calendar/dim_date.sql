with

span as (
    select
        cast(date_trunc('year', min(known_on)) as date) as begins_on,
        {{ days_after(months_after("date_trunc('year', " ~ as_of() ~ ")", 24), -1) }} as ends_on
    from {{ ref('int_customers') }}
),

days as (
    select {{ days_after('span.begins_on', 'numbers.n') }} as date_on
    from span
    cross join {{ numbers(40542) }}
    where {{ days_after('span.begins_on', 'numbers.n') }} <= span.ends_on
),

-- By counting from a known Monday: engines disagree on which day of the week is the first.
weeks as (
    select
        date_on,
        cast({{ days_between("date '1900-01-01'", 'date_on') }} % 7 + 1 as integer) as day_of_week
    from days
),

-- An ISO week belongs to the year of its Thursday.
thursdays as (
    select
        *,
        {{ days_after('date_on', '4 - day_of_week') }} as thursday_on
    from weeks
),

final as (
    select
        date_on,
        day_of_week,
        case day_of_week
            when 1 then 'Monday' when 2 then 'Tuesday' when 3 then 'Wednesday' when 4 then 'Thursday'
            when 5 then 'Friday' when 6 then 'Saturday' else 'Sunday'
        end as day_name,
        day_of_week >= 6 as is_weekend,
        cast(extract(day from date_on) as integer) as day_of_month,
        cast(extract(doy from date_on) as integer) as day_of_year,
        {{ days_after('date_on', '1 - day_of_week') }} as week_on,
        cast(floor((extract(doy from thursday_on) - 1) / 7) + 1 as integer) as iso_week,
        cast(extract(year from thursday_on) as integer) as iso_year,
        {{ month_start('date_on') }} as month_on,
        cast(extract(month from date_on) as integer) as month_of_year,
        cast(extract(quarter from date_on) as integer) as quarter_of_year,
        cast(extract(year from date_on) as integer) as calendar_year,
        date_on = last_day(date_on) as is_month_end,
        date_on <= {{ as_of() }} as is_past
    from thursdays
)

select * from final
