with lifecycle as (
    select * from {{ ref('customer_lifecycle') }}
),

refusals as (
    select * from {{ ref('int_profiling_refusals') }}
),

identities as (
    select * from {{ ref('int_identities') }}
),

-- what is owed is owed to those who refused as well, and what they are worth has no say in it
customer_value as (
    select customer_value.*
    from {{ ref('customer_value') }} as customer_value
    anti join refusals on customer_value.customer_id = refusals.customer_id
),

dim_customer as (
    select * from {{ ref('dim_customer') }}
),

reps as (
    select * from {{ ref('dim_rep') }}
),

scores as (
    select * from {{ ref('customer_churn_scores') }}
),

reasons as (
    select * from {{ ref('churn_reasons') }}
),

churn_spells as (
    select * from {{ ref('churn_spells') }}
),

return_rates as (
    select * from {{ ref('return_rates') }}
),

outlook as (
    select * from {{ ref('fed_back_outlook') }}
),

next_orders as (
    select * from {{ ref('customer_outlook') }}
),

earlier_scores as (
    select * from {{ ref('fed_back_earlier_scores') }}
),

features as (
    select * from {{ ref('customer_features') }}
    where snapshot_on = {{ as_of() }}
),

occasions as (
    select * from {{ ref('customer_occasions') }}
),

preferences as (
    select * from {{ ref('customer_preferences') }}
),

revisit_plan as (
    select * from {{ ref('revisit_plan') }}
),

follow_ups as (
    select * from {{ ref('customer_follow_up') }}
    where is_due
),

contact_data as (
    select * from {{ ref('contact_data_quality') }}
),

loyalty as (
    select * from {{ ref('customer_loyalty') }}
),

next_grades as (
    select * from {{ ref('member_grade') }}
),

behaviour as (
    select * from {{ ref('customer_behaviour') }}
),

silent_accounts as (
    select * from {{ ref('silent_business_accounts') }}
),

-- of two holidays at once the one that comes first
next_holiday as (
    select
        holiday_code,
        title as holiday_title,
        holiday_on
    from {{ ref('holiday_calendar') }}
    where holiday_on >= {{ as_of() }} and holiday_on <= {{ days_after(as_of(), 'lead_days') }}
    qualify row_number() over (order by holiday_on asc, holiday_code asc) = 1
),

away as (
    select
        customer_id,
        churned_on,
        orders_band
    from churn_spells
    where returned_on is null
),

return_chances as (
    select
        away.customer_id,
        -- where nothing could be learnt, the rates by time since churn and number of orders
        coalesce(outlook.return_probability, return_rates.return_probability) as return_probability,
        coalesce(outlook.return_score_kind, 'rate') as score_kind,
        coalesce(outlook.return_model_version, 'return_rates') as model_version,
        return_rates.orders_12m_after_return,
        outlook.kept_profit_12m
    from away
    left join outlook on away.customer_id = outlook.customer_id
    inner join return_rates
        on
            away.orders_band = return_rates.orders_band
            and {{ days_between('away.churned_on', as_of()) }} >= return_rates.from_day
            and {{ days_between('away.churned_on', as_of()) }} < return_rates.to_day
    anti join refusals on away.customer_id = refusals.customer_id
),

rescue_steps as (
    select distinct
        customer_id,
        current_step
    from {{ ref('rescue_ladder') }}
),

-- signs that something is going wrong, the plainest first; who has left is past warning
signs as (
    select
        lifecycle.customer_id,
        earlier_scores.churn_probability as earlier_churn_probability,
        case
            when lifecycle.lifecycle_stage in ('prospect', 'churned') then null
            when silent_accounts.customer_id is not null then 'silent_business'
            when
                features.last_csat_score <= {{ var('bad_satisfaction') }}
                and features.days_since_survey_answer <= {{ var('warning_days') }} then 'low_satisfaction'
            when
                behaviour.late_payments_365d >= {{ var('warning_late_payments') }}
                and behaviour.late_payments_365d * 2 > behaviour.invoices_365d then 'late_payment'
            when
                features.usage_events_90d - features.usage_events_change_90d >= {{ var('warning_usage_events') }}
                and features.usage_events_90d * 2 <= features.usage_events_90d - features.usage_events_change_90d
                then 'usage_drop'
            when
                scores.churn_probability - earlier_scores.churn_probability >= {{ var('score_jump') }} then 'score_jump'
        end as warning_kind,
        case
            when silent_accounts.customer_id is not null
                then
                    'No order for ' || cast(silent_accounts.empty_months as string) || ' whole months, against the habit'
        end as silence,
        'Satisfaction ' || cast(features.last_csat_score as string) || ' of 5, '
        || cast(features.days_since_survey_answer as string) || ' days ago' as dissatisfaction,
        cast(behaviour.late_payments_365d as string) || ' of ' || cast(behaviour.invoices_365d as string)
        || ' payments due in the last 12 months came late or are still open' as payments,
        'Used ' || cast(features.usage_events_90d as string) || ' times in 90 days, '
        || cast(features.usage_events_90d - features.usage_events_change_90d as string) || ' times in the 90 before'
            as usage,
        'Risk of leaving rose from ' || cast(cast(earlier_scores.churn_probability * 100 as integer) as string)
        || '% to ' || cast(cast(scores.churn_probability * 100 as integer) as string) || '% since '
        || cast(earlier_scores.scored_on as string) as jump
    from lifecycle
    left join scores on lifecycle.customer_id = scores.customer_id
    left join earlier_scores on lifecycle.customer_id = earlier_scores.customer_id
    left join features on lifecycle.customer_id = features.customer_id
    left join behaviour on lifecycle.customer_id = behaviour.customer_id
    left join silent_accounts on lifecycle.customer_id = silent_accounts.customer_id
    anti join refusals on lifecycle.customer_id = refusals.customer_id
),

final as (
    select
        lifecycle.customer_id,
        identities.identity_id,
        {{ as_of() }} as as_of_date,
        lifecycle.lifecycle_stage,
        lifecycle.first_order_on,
        lifecycle.last_order_on,
        cast(lifecycle.days_since_last_order as integer) as days_since_last_order,
        cast(lifecycle.expected_interval_days as integer) as expected_interval_days,
        cast(lifecycle.missed_intervals as integer) as missed_intervals,
        lifecycle.overdue_ratio,
        next_orders.expected_next_order_on,
        next_orders.expected_next_order_basis,
        lifecycle.expected_next_order_on as rhythm_next_order_on,
        cast(lifecycle.days_overdue as integer) as days_overdue,
        case
            when lifecycle.days_overdue > 0
                then
                    'An order was due on ' || cast(lifecycle.expected_next_order_on as string) || ', '
                    || cast(lifecycle.days_overdue as string) || ' days ago; usually every '
                    || cast(cast(lifecycle.expected_interval_days as integer) as string) || ' days'
            else
                'The last order was on ' || cast(lifecycle.last_order_on as string) || '; usually every '
                || cast(cast(lifecycle.expected_interval_days as integer) as string) || ' days'
        end as rhythm,
        case
            when lifecycle.first_order_on is null then 'Has not ordered yet'
            else
                'A customer since ' || cast(lifecycle.first_order_on as string) || '; the last order was on '
                || cast(lifecycle.last_order_on as string)
        end as order_history,
        -- who never ordered is treated like everybody
        case when refusals.customer_id is null then coalesce(customer_value.value_tier, 'general') end as value_tier,
        customer_value.value_score,
        customer_value.average_order_profit,
        cast(
            cast(customer_value.monetary_total as double) / nullif(customer_value.orders_total, 0) as decimal(18, 2)
        ) as average_order_amount,
        customer_value.gross_profit_12m,
        scores.churn_probability,
        scores.expected_orders_12m,
        scores.expected_profit_12m,
        scores.kept_profit_12m,
        return_chances.return_probability,
        return_chances.orders_12m_after_return as return_orders_12m,
        -- some of those who do not return within the horizon return later: what they bring is no gain of a return
        cast(
            coalesce(
                return_chances.kept_profit_12m,
                return_chances.orders_12m_after_return * customer_value.average_order_profit
            ) as decimal(18, 2)
        ) as return_profit_12m,
        -- the one figure about the customer: who has left cannot leave
        coalesce(return_chances.return_probability, scores.churn_probability) as churn_or_return_probability,
        case
            when return_chances.customer_id is not null then 'return'
            when scores.customer_id is not null then 'churn'
        end as probability_of,
        coalesce(return_chances.score_kind, scores.score_kind) as score_kind,
        coalesce(return_chances.model_version, scores.model_version) as model_version,
        case when return_chances.customer_id is not null then 0 else scores.score_age_days end as score_age_days,
        case
            when scores.customer_id is not null then scores.driver_1
            when refusals.customer_id is null
                then 'no order for ' || cast(lifecycle.days_since_last_order as string) || ' days'
        end as driver_1,
        case
            when scores.customer_id is not null then scores.driver_2
            when refusals.customer_id is null
                then 'usually orders every ' || cast(lifecycle.expected_interval_days as string) || ' days'
        end as driver_2,
        case
            when scores.customer_id is not null then scores.driver_3
            else reasons.evidence_1
        end as driver_3,
        coalesce(reasons.reason_code, 'unknown') as reason_code,
        coalesce(reasons.reason_kind, 'unknown') as reason_kind,
        reasons.confidence as reason_confidence,
        reasons.reason_evidence,
        reps.acting_rep_id as owner_id,
        reps.acting_team as team,
        case
            when reps.is_departed or reps.leaves_on <= {{ days_after(as_of(), var('handover_ahead_days')) }} then reps.rep_id
        end as leaving_owner_id,
        coalesce(reps.departed_on, reps.leaves_on) as owner_leaves_on,
        reps.leaves_on is not null as is_owner_still_there,
        -- how he answers says more than what he once ticked; the tier's manner is a matter of the plan
        coalesce(
            case when revisit_plan.channel_basis = 'answered' then revisit_plan.preferred_channel end,
            dim_customer.preferred_channel
        ) as preferred_channel,
        coalesce(dim_customer.is_company, false) as is_company,
        coalesce(contact_data.is_unreachable or contact_data.duplicate_of is not null, false) as is_doubtful,
        signs.earlier_churn_probability,
        signs.warning_kind,
        case signs.warning_kind
            when 'silent_business' then signs.silence
            when 'low_satisfaction' then signs.dissatisfaction
            when 'late_payment' then signs.payments
            when 'usage_drop' then signs.usage
            when 'score_jump' then signs.jump
        end as warning,
        away.churned_on,
        coalesce(rescue_steps.current_step, 1) as winback_step,
        occasions.next_birthday_on,
        occasions.open_complaints,
        occasions.oldest_complaint_on,
        min(occasions.oldest_complaint_on) over (partition by identities.identity_id) as person_complaint_on,
        occasions.badly_solved_on,
        occasions.complaint_subject,
        occasions.last_contact_on,
        occasions.last_rep_contact_on,
        revisit_plan.revisit_interval_days,
        case when revisit_plan.is_due then revisit_plan.due_on end as revisit_due_on,
        revisit_plan.days_overdue as revisit_days_overdue,
        revisit_plan.talking_point as revisit_topic,
        follow_ups.rule_code as follow_up_rule,
        follow_ups.what_to_do as follow_up_action,
        follow_ups.ref_id as follow_up_ref,
        follow_ups.promised_on,
        follow_ups.next_follow_up_on,
        follow_ups.days_overdue as follow_up_days_overdue,
        occasions.open_quotes,
        occasions.open_quoted_amount,
        occasions.next_close_on,
        coalesce(occasions.is_near_signing, false) as is_near_signing,
        occasions.launch_category,
        occasions.launch_title,
        occasions.launched_on,
        occasions.launch_basis,
        next_holiday.holiday_code,
        next_holiday.holiday_title,
        next_holiday.holiday_on,
        preferences.favourite_category,
        preferences.next_best_category,
        loyalty.member_grade,
        loyalty.next_grade,
        loyalty.points_to_next_grade,
        loyalty.points_to_next_grade <= {{ var('upgrade_points_share') }} * next_grades.from_points as is_near_next_grade
    from lifecycle
    inner join identities on lifecycle.customer_id = identities.customer_id
    left join refusals on lifecycle.customer_id = refusals.customer_id
    left join next_orders on lifecycle.customer_id = next_orders.customer_id
    left join customer_value on lifecycle.customer_id = customer_value.customer_id
    left join dim_customer on lifecycle.customer_id = dim_customer.customer_id
    left join scores on lifecycle.customer_id = scores.customer_id
    left join reasons on lifecycle.customer_id = reasons.customer_id
    left join away on lifecycle.customer_id = away.customer_id
    left join return_chances on lifecycle.customer_id = return_chances.customer_id
    left join reps on dim_customer.owner_id = reps.rep_id
    left join signs on lifecycle.customer_id = signs.customer_id
    left join rescue_steps on lifecycle.customer_id = rescue_steps.customer_id
    left join occasions on lifecycle.customer_id = occasions.customer_id
    left join preferences on lifecycle.customer_id = preferences.customer_id
    left join revisit_plan on lifecycle.customer_id = revisit_plan.customer_id
    left join follow_ups on lifecycle.customer_id = follow_ups.customer_id
    left join contact_data on lifecycle.customer_id = contact_data.customer_id
    left join loyalty on lifecycle.customer_id = loyalty.customer_id
    left join next_grades on loyalty.next_grade = next_grades.member_grade
    left join next_holiday on true
)

select * from final
