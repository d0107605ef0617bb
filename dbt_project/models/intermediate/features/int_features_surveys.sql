with

surveys as (
    select
        *,
        row_number() over (partition by customer_id, survey order by responded_at, response_id) as response_number
    from {{ ref('stg_surveys') }}
),

seen as (
    {{ at_snapshots('surveys', 'sent_on') }}
),

standing as (
    select
        *,
        responded_on <= snapshot_on and score is not null as is_answered,
        cast({{ days_between('responded_on', 'snapshot_on') }} as integer) as answer_age_days
    from seen
),

final as (
    select
        snapshot_on,
        customer_id,
        cast(count(*) filter (where age_days < 365) as integer) as surveys_sent_365d,
        cast(count(*) filter (where age_days < 365 and is_answered) as integer) as surveys_answered_365d,
        max_by(score, response_number) filter (where is_answered and survey = 'nps') as last_nps_score,
        max_by(score, response_number) filter (where is_answered and survey = 'csat') as last_csat_score,
        min(score) filter (
            where is_answered and survey = 'csat' and answer_age_days < 365
        ) as lowest_csat_score_365d,
        min(answer_age_days) filter (where is_answered) as days_since_survey_answer
    from standing
    group by snapshot_on, customer_id
)

select * from final
