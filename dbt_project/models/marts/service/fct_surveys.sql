with

surveys as (
    select * from {{ ref('stg_surveys') }}
),

erasure_requests as (
    select distinct customer_id from {{ ref('stg_erasure_requests') }}
),

-- a score that its scale does not have is no answer; one without a time counts from the day the survey was sent
answered as (
    select
        *,
        case
            when survey = 'nps' and score between 0 and 10 then score
            when survey = 'csat' and score between 1 and 5 then score
        end as valid_score,
        coalesce(responded_at, sent_at) as known_answered_at,
        coalesce(responded_on, sent_on) as known_answered_on
    from surveys
),

final as (
    select
        answered.response_id,
        answered.customer_id,
        answered.survey,
        answered.sent_at,
        answered.sent_on,
        answered.valid_score is not null as is_answered,
        case when answered.valid_score is not null then answered.known_answered_at end as answered_at,
        case when answered.valid_score is not null then answered.known_answered_on end as answered_on,
        case
            when answered.valid_score is not null and answered.responded_on >= answered.sent_on
                then cast({{ days_between('answered.sent_on', 'answered.responded_on') }} as integer)
        end as days_to_answer,
        answered.score is not null and answered.valid_score is null as is_score_invalid,
        answered.valid_score as score,
        case
            when answered.survey = 'csat' then cast(answered.valid_score as string)
            when answered.survey = 'nps' and answered.valid_score >= 9 then 'promoter'
            when answered.survey = 'nps' and answered.valid_score >= 7 then 'passive'
            when answered.survey = 'nps' and answered.valid_score >= 0 then 'detractor'
        end as satisfaction_level,
        case
            when answered.survey = 'csat' and answered.valid_score >= 4 then 'satisfied'
            when answered.survey = 'csat' and answered.valid_score = 3 then 'improvable'
            when answered.survey = 'csat' and answered.valid_score <= 2 then 'focus'
            when answered.survey = 'nps' and answered.valid_score >= 9 then 'satisfied'
            when answered.survey = 'nps' and answered.valid_score >= 7 then 'improvable'
            when answered.survey = 'nps' and answered.valid_score <= 6 then 'focus'
        end as satisfaction_class,
        case
            when erasure_requests.customer_id is null and answered.valid_score is not null then answered.topic
        end as topic,
        answered.comment is not null as is_comment_recorded
    from answered
    left join erasure_requests on answered.customer_id = erasure_requests.customer_id
)

select * from final
