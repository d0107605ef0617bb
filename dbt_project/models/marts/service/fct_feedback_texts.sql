with

tickets as (
    select * from {{ ref('stg_tickets') }}
),

surveys as (
    select * from {{ ref('stg_surveys') }}
),

reasons_given as (
    select * from {{ ref('stg_churn_feedback') }}
),

feedback as (
    select * from {{ ref('fct_feedback') }}
),

erasure_requests as (
    select distinct customer_id from {{ ref('stg_erasure_requests') }}
),

texts as (
    select
        'ticket ' || ticket_id as feedback_id,
        'resolution' as text_kind,
        resolution as text
    from tickets
    where resolution is not null
    union all
    select
        'survey ' || response_id as feedback_id,
        'comment' as text_kind,
        comment as text
    from surveys
    where comment is not null
    union all
    select
        'churn_feedback ' || feedback_id as feedback_id,
        'detail' as text_kind,
        detail as text
    from reasons_given
    where detail is not null
),

final as (
    select
        texts.feedback_id,
        feedback.customer_id,
        feedback.given_on,
        texts.text_kind,
        texts.text
    from texts
    inner join feedback on texts.feedback_id = feedback.feedback_id
    anti join erasure_requests on feedback.customer_id = erasure_requests.customer_id
)

select * from final
