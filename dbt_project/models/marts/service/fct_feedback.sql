with

tickets as (
    select * from {{ ref('fct_tickets') }}
),

surveys as (
    select * from {{ ref('fct_surveys') }}
),

reasons_given as (
    select * from {{ ref('stg_churn_feedback') }}
),

erasure_requests as (
    select distinct customer_id from {{ ref('stg_erasure_requests') }}
),

from_tickets as (
    select
        'ticket ' || ticket_id as feedback_id,
        'ticket' as source,
        ticket_id as ref_id,
        customer_id,
        opened_on as given_on,
        kind,
        channel_group,
        category as topic,
        product_id,
        satisfaction as rating,
        case
            when kind = 'complaint' then 'negative'
            when kind = 'praise' then 'positive'
            when kind in ('question', 'suggestion') then 'neutral'
        end as sentiment,
        handler_id,
        resolved_on as closed_on,
        is_resolution_recorded as is_text_recorded
    from tickets
),

from_surveys as (
    select
        'survey ' || response_id as feedback_id,
        'survey' as source,
        response_id as ref_id,
        customer_id,
        answered_on as given_on,
        survey as kind,
        'online_survey' as channel_group,
        topic,
        cast(null as string) as product_id,
        case when survey = 'csat' then score end as rating,
        case
            when satisfaction_class = 'satisfied' then 'positive'
            when satisfaction_class = 'improvable' then 'neutral'
            when satisfaction_class = 'focus' then 'negative'
        end as sentiment,
        cast(null as string) as handler_id,
        cast(null as date) as closed_on,
        is_comment_recorded as is_text_recorded
    from surveys
    where is_answered
),

from_reasons_given as (
    select
        'churn_feedback ' || reasons_given.feedback_id as feedback_id,
        'churn_feedback' as source,
        reasons_given.feedback_id as ref_id,
        reasons_given.customer_id,
        reasons_given.recorded_on as given_on,
        'reason_for_leaving' as kind,
        cast(null as string) as channel_group,
        case when erasure_requests.customer_id is null then reasons_given.reason_code end as topic,
        cast(null as string) as product_id,
        cast(null as integer) as rating,
        'negative' as sentiment,
        cast(null as string) as handler_id,
        cast(null as date) as closed_on,
        reasons_given.detail is not null as is_text_recorded
    from reasons_given
    left join erasure_requests on reasons_given.customer_id = erasure_requests.customer_id
),

final as (
    select * from from_tickets
    union all
    select * from from_surveys
    union all
    select * from from_reasons_given
)

select * from final
