{#- by what tickets are told apart: a bottleneck shows where one of these takes longer than all together -#}
{%- set dimensions = ['kind', 'channel_group', 'category', 'severity', 'team'] -%}

with

tickets as (
    select * from {{ ref('fct_tickets') }}
),

supplied as (
    {{ columns_given(ref('source_inventory'), 'tickets', {
        'has_first_response_at': 'first_response_at', 'has_resolved_at': 'resolved_at'
    }) }}
),

opened as (
    select *
    from tickets
    where opened_on > {{ days_after(as_of(), -365) }} and not has_implausible_times
),

-- one row per ticket and stage that it has reached; hours are NULL while it is in that stage
stages as (
    select
        opened.*,
        'answer' as stage,
        1 as stage_position,
        cast(opened.first_response_minutes / cast(60 as decimal(4, 0)) as decimal(12, 2)) as hours,
        opened.first_response_minutes is null as is_waiting
    from opened
    cross join supplied
    where supplied.has_first_response_at
    union all
    select
        opened.*,
        'solution' as stage,
        2 as stage_position,
        cast(
            opened.resolution_hours - coalesce(
                opened.first_response_minutes / cast(60 as decimal(4, 0)), 0
            ) as decimal(12, 2)
        ) as hours,
        opened.is_open as is_waiting
    from opened
    cross join supplied
    where
        supplied.has_resolved_at
        and (opened.first_response_minutes is not null or not supplied.has_first_response_at)
    union all
    select
        opened.*,
        'return' as stage,
        3 as stage_position,
        opened.hours_until_back as hours,
        false as is_waiting
    from opened
    where opened.is_back_again is not null
),

by_dimension as (
    select
        'all' as dimension,
        'all' as dimension_value,
        stage,
        stage_position,
        hours,
        is_waiting
    from stages
    {%- for dimension in dimensions %}
    union all
    select
        '{{ dimension }}' as dimension,
        coalesce({{ dimension }}, 'unknown') as dimension_value,
        stage,
        stage_position,
        hours,
        is_waiting
    from stages
    {%- endfor %}
),

measured as (
    select
        dimension,
        dimension_value,
        stage,
        stage_position,
        count(*) as tickets,
        count(hours) as passed_tickets,
        count(*) filter (where is_waiting) as waiting_tickets,
        cast(coalesce(sum(hours), 0) as decimal(18, 2)) as hours,
        -- as doubles: between two decimals, one engine cuts the mean to their digits and the other does not
        round(median(cast(hours as double)), 3) as median_hours,
        round(percentile_cont(0.9) within group (order by cast(hours as double)), 3) as p90_hours
    from by_dimension
    group by dimension, dimension_value, stage, stage_position
),

compared as (
    select
        measured.*,
        whole.median_hours as median_hours_of_all,
        {{ ratio('measured.hours', 'whole.hours') }} as share_of_hours,
        {{ ratio('measured.passed_tickets', 'whole.passed_tickets') }} as share_of_tickets
    from measured
    inner join measured as whole on measured.stage = whole.stage and whole.dimension = 'all'
),

final as (
    select
        dimension,
        dimension_value,
        stage,
        stage_position,
        tickets,
        passed_tickets,
        {{ ratio('passed_tickets', 'tickets') }} as passed_share,
        waiting_tickets,
        hours,
        median_hours,
        p90_hours,
        median_hours_of_all,
        share_of_tickets,
        share_of_hours,
        case
            when stage <> 'return' and passed_tickets >= {{ var('bottleneck_min_tickets') }}
                then
                    median_hours_of_all > 0
                    and median_hours >= {{ var('bottleneck_ratio') }} * median_hours_of_all
        end as is_bottleneck
    from compared
)

select * from final
