with

surveys as (
    select * from {{ ref('fct_surveys') }}
),

customers as (
    select * from {{ ref('customer_value') }}
),

lifecycle as (
    select * from {{ ref('customer_lifecycle') }}
),

spine as (
    {{ month_spine('sent_on', 'surveys') }}
),

months as (
    select
        *,
        {{ months_after('min(month_start_on) over ()', 11) }} <= month_start_on as has_year
    from spine
),

-- who was asked without being in the CRM or having ordered has no tier
tiered as (
    select
        surveys.*,
        coalesce(customers.value_tier, 'unknown') as value_tier
    from surveys
    left join customers on surveys.customer_id = customers.customer_id
),

tiers as (
    select value_tier from customers
    union
    select value_tier from tiered
),

sent as (
    select
        {{ month_start('sent_on') }} as month_start_on,
        value_tier,
        count(*) as surveys_sent,
        count(*) filter (
            where is_answered and answered_on <= {{ days_after('sent_on', var('survey_answer_days')) }}
        ) as surveys_answered,
        count(*) filter (where is_score_invalid) as invalid_answers
    from tiered
    group by {{ month_start('sent_on') }}, value_tier
),

answered as (
    select
        {{ month_start('answered_on') }} as month_start_on,
        value_tier,
        count(*) filter (where survey = 'csat') as csat_answers,
        count(*) filter (where survey = 'csat' and score >= 4) as satisfied_answers,
        count(*) filter (where survey = 'nps') as nps_answers,
        count(*) filter (where satisfaction_level = 'promoter') as promoters,
        count(*) filter (where satisfaction_level = 'detractor') as detractors
    from tiered
    where is_answered
    group by {{ month_start('answered_on') }}, value_tier
),

buyers as (
    select
        customers.customer_id,
        customers.value_tier,
        lifecycle.first_order_on
    from customers
    inner join lifecycle on customers.customer_id = lifecycle.customer_id
    where lifecycle.first_order_on is not null
),

stock as (
    select
        months.month_start_on,
        buyers.value_tier,
        count(*) as customers
    from months
    inner join buyers on months.month_end_on >= buyers.first_order_on
    group by months.month_start_on, buyers.value_tier
),

-- each customer once, however many surveys the twelve months brought
reached as (
    select
        months.month_start_on,
        buyers.value_tier,
        count(distinct buyers.customer_id) as customers_surveyed,
        count(distinct buyers.customer_id) filter (
            where surveys.is_answered and surveys.answered_on <= months.month_end_on
        ) as customers_answered
    from months
    inner join surveys
        on
            months.month_end_on >= surveys.sent_on
            and {{ months_after('months.month_start_on', -11) }} <= surveys.sent_on
    inner join buyers on surveys.customer_id = buyers.customer_id and months.month_end_on >= buyers.first_order_on
    group by months.month_start_on, buyers.value_tier
),

measured as (
    select
        months.month_start_on,
        tiers.value_tier,
        months.month_end_on <= {{ as_of() }} as is_finished,
        {{ measure('sent.surveys_sent', window_days=var('survey_answer_days')) }} as surveys_sent,
        {{ measure('sent.surveys_answered', window_days=var('survey_answer_days')) }} as surveys_answered,
        {{ measure('sent.invalid_answers', window_days=var('survey_answer_days')) }} as invalid_answers,
        {{ measure('answered.csat_answers') }} as csat_answers,
        {{ measure('answered.satisfied_answers') }} as satisfied_answers,
        {{ measure('answered.nps_answers') }} as nps_answers,
        {{ measure('answered.promoters') }} as promoters,
        {{ measure('answered.detractors') }} as detractors,
        case when months.has_year then {{ measure('stock.customers') }} end as customers,
        case when months.has_year then {{ measure('reached.customers_surveyed') }} end as customers_surveyed_12m,
        case when months.has_year then {{ measure('reached.customers_answered') }} end as customers_answered_12m
    from months
    cross join tiers
    left join sent on months.month_start_on = sent.month_start_on and tiers.value_tier = sent.value_tier
    left join answered on months.month_start_on = answered.month_start_on and tiers.value_tier = answered.value_tier
    left join stock on months.month_start_on = stock.month_start_on and tiers.value_tier = stock.value_tier
    left join reached on months.month_start_on = reached.month_start_on and tiers.value_tier = reached.value_tier
),

final as (
    select
        month_start_on as month,
        value_tier,
        is_finished,
        surveys_sent,
        surveys_answered,
        {{ ratio('surveys_answered', 'surveys_sent') }} as response_rate,
        invalid_answers,
        csat_answers,
        satisfied_answers,
        {{ survey_figure('satisfied_answers', 'csat_answers') }} as csat,
        nps_answers,
        promoters,
        detractors,
        {{ survey_figure('100 * (promoters - detractors)', 'nps_answers') }} as nps,
        customers,
        customers_surveyed_12m,
        {{ ratio('customers_surveyed_12m', 'customers') }} as survey_coverage,
        customers_answered_12m,
        {{ ratio('customers_answered_12m', 'customers') }} as answer_coverage
    from measured
)

select * from final
