with lifecycle as (
    select * from {{ ref('customer_lifecycle') }}
),

churn_reason as (
    select * from {{ ref('churn_reason') }}
),

reason_map as (
    select * from {{ ref('reason_map') }}
),

feedback as (
    select * from {{ ref('stg_churn_feedback') }}
),

-- every word for a reason that the company uses, ours among them
known_words as (
    select
        reason_code as word,
        reason_code
    from churn_reason
    union
    select
        lower(cause_code) as word,
        reason_code
    from reason_map
    union
    select
        cause_phrase as word,
        reason_code
    from reason_map
),

-- whoever ordered again after saying why he left has taken it back
final as (
    select
        feedback.customer_id,
        feedback.reason_code as stated_code,
        feedback.recorded_on as stated_on,
        known_words.reason_code
    from feedback
    inner join lifecycle on feedback.customer_id = lifecycle.customer_id
    left join known_words on lower(trim(feedback.reason_code)) = known_words.word
    where feedback.recorded_on >= lifecycle.last_order_on
    qualify row_number() over (
        partition by feedback.customer_id
        order by feedback.recorded_at desc, feedback.feedback_id asc, known_words.reason_code asc
    ) = 1
)

select * from final
