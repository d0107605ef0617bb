with situation as (
    select * from {{ ref('customer_situation') }}
),

dim_customer as (
    select * from {{ ref('dim_customer') }}
),

customer_xref as (
    select * from {{ ref('customer_xref') }}
),

contact_data as (
    select * from {{ ref('contact_data_quality') }}
),

customer_value as (
    select * from {{ ref('customer_value') }}
),

lifecycle as (
    select * from {{ ref('customer_lifecycle') }}
),

satisfaction as (
    select * from {{ ref('customer_satisfaction') }}
),

loyalty as (
    select * from {{ ref('customer_loyalty') }}
),

preferences as (
    select * from {{ ref('customer_preferences') }}
),

follow_ups as (
    select * from {{ ref('customer_follow_up') }}
),

retention_list as (
    select * from {{ ref('retention_list') }}
),

supplied as (
    {{ columns_given(ref('source_inventory'), 'tickets', {'has_complaints': 'kind'}) }}
),

erasure_requests as (
    select distinct customer_id from {{ ref('stg_erasure_requests') }}
),

-- the held out are left in peace, and nobody needs to know who they are
tasks as (
    select
        customer_id,
        string_agg(list_code, ', ' order by due_on, list_code) as lists,
        min_by(next_action, cast(due_on as string) || list_code) as next_action,
        min(due_on) as next_task_due_on
    from retention_list
    where arm = 'treatment'
    group by customer_id
),

final as (
    select
        {{ as_of() }} as as_of_date,
        dim_customer.customer_id,
        coalesce(customer_xref.identity_id, dim_customer.customer_id) as identity_id,
        dim_customer.is_company,
        dim_customer.industry,
        dim_customer.city,
        dim_customer.region,
        dim_customer.country,
        dim_customer.known_on,
        dim_customer.acquisition_channel,
        situation.owner_id,
        situation.team,
        dim_customer.crm_grade,
        dim_customer.profile_completeness,
        contact_data.verdict as contact_data_verdict,
        customer_value.value_tier,
        customer_value.grade_vip,
        customer_value.value_score,
        customer_value.orders_12m,
        customer_value.monetary_12m,
        customer_value.gross_profit_12m,
        lifecycle.lifecycle_stage,
        lifecycle.stage_growth,
        lifecycle.stage_journey,
        lifecycle.first_order_on,
        lifecycle.last_order_on,
        lifecycle.missed_intervals,
        situation.churn_or_return_probability,
        situation.probability_of,
        case when lifecycle.lifecycle_stage <> 'prospect' then situation.reason_code end as reason_code,
        satisfaction.last_csat,
        satisfaction.last_nps,
        satisfaction.satisfaction_class,
        case when supplied.has_complaints then coalesce(satisfaction.open_complaints, 0) end as open_complaints,
        situation.preferred_channel,
        situation.last_contact_on,
        follow_ups.next_follow_up_on,
        preferences.favourite_category,
        preferences.next_best_category,
        preferences.needs,
        loyalty.member_grade,
        loyalty.points_balance,
        tasks.lists,
        tasks.next_action,
        tasks.next_task_due_on
    from dim_customer
    cross join supplied
    inner join lifecycle on dim_customer.customer_id = lifecycle.customer_id
    inner join customer_value on dim_customer.customer_id = customer_value.customer_id
    inner join situation on dim_customer.customer_id = situation.customer_id
    left join customer_xref on dim_customer.customer_id = customer_xref.customer_id
    left join contact_data on dim_customer.customer_id = contact_data.customer_id
    left join satisfaction on dim_customer.customer_id = satisfaction.customer_id
    left join loyalty on dim_customer.customer_id = loyalty.customer_id
    left join preferences on dim_customer.customer_id = preferences.customer_id
    left join follow_ups on dim_customer.customer_id = follow_ups.customer_id
    left join tasks on dim_customer.customer_id = tasks.customer_id
    left join erasure_requests on dim_customer.customer_id = erasure_requests.customer_id
    where erasure_requests.customer_id is null
)

select * from final
