{%- set year_ago = days_after(as_of(), -365) -%}
{%- set levels = [
    ('csat', '1', 'focus'), ('csat', '2', 'focus'), ('csat', '3', 'improvable'), ('csat', '4', 'satisfied'),
    ('csat', '5', 'satisfied'), ('nps', 'detractor', 'focus'), ('nps', 'passive', 'improvable'),
    ('nps', 'promoter', 'satisfied')
] -%}

with

surveys as (
    select * from {{ ref('fct_surveys') }}
),

measures as (
    select * from {{ ref('topic_measure') }}
),

levels as (
    {%- for survey, level, class in levels %}
    select
        '{{ survey }}' as survey,
        '{{ level }}' as satisfaction_level,
        '{{ class }}' as satisfaction_class
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

answers as (
    select
        survey,
        satisfaction_level,
        coalesce(topic, 'none') as topic,
        answered_on > {{ year_ago }} as is_recent
    from surveys
    where is_answered and answered_on > {{ days_after(as_of(), -730) }}
),

topics as (
    select distinct
        survey,
        topic
    from answers
),

counted as (
    select
        survey,
        topic,
        satisfaction_level,
        count(*) filter (where is_recent) as answers_365d,
        count(*) filter (where not is_recent) as answers_previous_365d
    from answers
    group by survey, topic, satisfaction_level
),

-- every level of every topic: nobody at a level is a figure, too
filled as (
    select
        topics.survey,
        topics.topic,
        levels.satisfaction_level,
        levels.satisfaction_class,
        coalesce(counted.answers_365d, 0) as answers_365d,
        coalesce(counted.answers_previous_365d, 0) as answers_previous_365d
    from topics
    inner join levels on topics.survey = levels.survey
    left join counted
        on
            topics.survey = counted.survey
            and topics.topic = counted.topic
            and levels.satisfaction_level = counted.satisfaction_level
),

summed as (
    select
        *,
        cast(sum(answers_365d) over about as bigint) as topic_answers_365d,
        cast(sum(answers_previous_365d) over about as bigint) as topic_answers_previous_365d,
        cast(
            sum(case when satisfaction_class = 'focus' then answers_365d else 0 end) over about as bigint
        ) as topic_focus_answers_365d
    from filled
    window about as (partition by survey, topic)
),

final as (
    select
        summed.survey,
        summed.topic,
        summed.satisfaction_level,
        summed.satisfaction_class,
        summed.answers_365d,
        summed.topic_answers_365d,
        {{ ratio('summed.answers_365d', 'summed.topic_answers_365d') }} as share_365d,
        summed.answers_previous_365d,
        summed.topic_answers_previous_365d,
        {{ ratio('summed.answers_previous_365d', 'summed.topic_answers_previous_365d') }} as share_previous_365d,
        summed.topic_focus_answers_365d,
        cast(
            dense_rank() over (
                partition by summed.survey
                order by summed.topic = 'none' asc, summed.topic_focus_answers_365d desc, summed.topic asc
            ) as integer
        ) as topic_rank,
        measures.measure,
        measures.responsible
    from summed
    left join measures on lower(summed.topic) = measures.topic
)

select * from final
