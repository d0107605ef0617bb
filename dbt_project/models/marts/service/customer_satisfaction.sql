{%- set year_ago = days_after(as_of(), -365) -%}
{%- set quarter_ago = days_after(as_of(), -90) -%}

with

surveys as (
    select * from {{ ref('fct_surveys') }}
),

tickets as (
    select * from {{ ref('fct_tickets') }}
),

erasure_requests as (
    select distinct customer_id from {{ ref('stg_erasure_requests') }}
),

ordered_surveys as (
    select
        *,
        row_number() over (partition by customer_id, survey, is_answered order by answered_at, response_id) as answer_number,
        row_number() over (
            partition by customer_id, is_answered order by answered_at desc, response_id desc
        ) as answers_ago,
        lag(score) over (partition by customer_id, survey, is_answered order by answered_at, response_id) as previous_score
    from surveys
),

opinions as (
    select
        customer_id,
        cast(count(*) filter (where sent_on > {{ year_ago }}) as integer) as surveys_365d,
        cast(count(*) filter (where sent_on > {{ year_ago }} and is_answered) as integer) as surveys_answered_365d,
        max_by(score, answer_number) filter (where is_answered and survey = 'csat') as last_csat,
        max(answered_on) filter (where survey = 'csat') as last_csat_on,
        max_by(score - previous_score, answer_number) filter (
            where previous_score is not null and is_answered and survey = 'csat'
        ) as csat_change,
        max_by(score, answer_number) filter (where is_answered and survey = 'nps') as last_nps,
        max(answered_on) filter (where survey = 'nps') as last_nps_on,
        max_by(satisfaction_level, answer_number) filter (where is_answered and survey = 'nps') as last_nps_group,
        max(satisfaction_class) filter (
            where is_answered and answers_ago = 1 and answered_on > {{ days_after(as_of(), '-' ~ var('satisfaction_valid_days')) }}
        ) as satisfaction_class
    from ordered_surveys
    group by customer_id
),

ordered_tickets as (
    select
        *,
        row_number() over (partition by customer_id order by resolved_at nulls first, ticket_id) as resolution_number
    from tickets
),

cases as (
    select
        customer_id,
        cast(count(*) filter (where opened_on > {{ year_ago }}) as integer) as tickets_365d,
        cast(count(*) filter (where is_open) as integer) as open_tickets,
        cast(count(*) filter (where opened_on > {{ quarter_ago }} and is_negative) as integer) as negative_tickets_90d,
        cast(count(*) filter (where opened_on > {{ quarter_ago }} and kind = 'complaint') as integer) as complaints_90d,
        cast(count(*) filter (where opened_on > {{ year_ago }} and kind = 'complaint') as integer) as complaints_365d,
        cast(count(*) filter (where is_open and kind = 'complaint') as integer) as open_complaints,
        min(opened_on) filter (where is_open and kind = 'complaint') as oldest_open_complaint_on,
        max(open_age_days) filter (where kind = 'complaint') as oldest_open_complaint_days,
        max(opened_on) filter (where kind = 'complaint') as last_complaint_on,
        max(resolved_on) filter (where kind = 'complaint') as last_complaint_resolved_on,
        max_by(satisfaction, resolution_number) filter (
            where not is_open and satisfaction is not null
        ) as last_ticket_satisfaction,
        coalesce(
            bool_or(is_repeat_complaint) filter (where opened_on > {{ quarter_ago }}), false
        ) as is_repeat_complainer
    from ordered_tickets
    group by customer_id
),

heard_from as (
    select customer_id from opinions
    union
    select customer_id from cases
),

joined as (
    select
        heard_from.customer_id,
        coalesce(opinions.surveys_365d, 0) as surveys_365d,
        coalesce(opinions.surveys_answered_365d, 0) as surveys_answered_365d,
        opinions.last_csat,
        opinions.last_csat_on,
        opinions.csat_change,
        opinions.last_nps,
        opinions.last_nps_on,
        opinions.last_nps_group,
        opinions.satisfaction_class,
        coalesce(cases.tickets_365d, 0) as tickets_365d,
        coalesce(cases.open_tickets, 0) as open_tickets,
        coalesce(cases.negative_tickets_90d, 0) as negative_tickets_90d,
        coalesce(cases.complaints_90d, 0) as complaints_90d,
        coalesce(cases.complaints_365d, 0) as complaints_365d,
        coalesce(cases.open_complaints, 0) as open_complaints,
        cases.oldest_open_complaint_on,
        cases.oldest_open_complaint_days,
        cases.last_complaint_on,
        cases.last_complaint_resolved_on,
        cases.last_ticket_satisfaction,
        coalesce(opinions.satisfaction_class = 'focus', false) as is_dissatisfied,
        coalesce(cases.oldest_open_complaint_days >= {{ var('slow_resolution_days') }}, false) as is_complaint_unsolved,
        coalesce(cases.is_repeat_complainer, false) as is_repeat_complainer
    from heard_from
    left join opinions on heard_from.customer_id = opinions.customer_id
    left join cases on heard_from.customer_id = cases.customer_id
    left join erasure_requests on heard_from.customer_id = erasure_requests.customer_id
    where erasure_requests.customer_id is null
),

final as (
    select
        *,
        is_dissatisfied or is_complaint_unsolved or is_repeat_complainer as is_early_warning,
        case
            when is_complaint_unsolved then 'complaint_unsolved'
            when is_repeat_complainer then 'repeat_complaint'
            when is_dissatisfied then 'dissatisfied'
        end as warning_rule
    from joined
)

select * from final
