with

lifecycle as (
    select * from {{ ref('customer_lifecycle') }}
),

customer_value as (
    select * from {{ ref('customer_value') }}
),

customers as (
    select * from {{ ref('dim_customer') }}
),

reps as (
    select * from {{ ref('dim_rep') }}
),

interactions as (
    select * from {{ ref('stg_interactions') }}
),

erasure_requests as (
    select distinct customer_id from {{ ref('stg_erasure_requests') }}
),

-- where the source never tells who spoke, that it does not say so speaks against nobody
supplied as (
    {{ columns_given(ref('source_inventory'), 'interactions', {'has_contacts': 'occurred_at', 'has_owners': 'owner_id'}) }}
),

placed as (
    select
        customer_id,
        occurred_at,
        occurred_on,
        outcome,
        {{ is_attempt() }} as is_attempt,
        {{ is_conversation() }} as is_conversation,
        max(case when {{ is_conversation() }} then occurred_at end) over (partition by customer_id) as last_contact_at,
        row_number() over (
            partition by customer_id, {{ is_conversation() }} order by occurred_at desc, interaction_id desc
        ) as recency,
        -- what stands under the name of one who had left was not his
        not supplied.has_owners
        or (interactions.owner_id is not null and coalesce(interactions.occurred_on <= departures.departed_on, true))
            as is_by_rep
    from interactions
    cross join supplied
    left join (
        select
            rep_id,
            departed_on
        from reps
    ) as departures on interactions.owner_id = departures.rep_id
),

contacts as (
    select
        customer_id,
        max(occurred_on) filter (where is_conversation) as last_contact_on,
        max(occurred_on) filter (where is_conversation and is_by_rep) as last_rep_contact_on,
        max(outcome) filter (where is_conversation and recency = 1) as last_contact_outcome,
        max(occurred_on) filter (where is_attempt) as last_attempt_on,
        count(*) filter (where is_attempt) as attempts,
        count(*) filter (where is_conversation) as conversations,
        count(*) filter (
            where is_attempt and not is_conversation and (last_contact_at is null or occurred_at > last_contact_at)
        ) as unanswered_attempts
    from placed
    group by customer_id
),

final as (
    select
        lifecycle.customer_id,
        customers.owner_id,
        reps.acting_rep_id as acting_owner_id,
        coalesce(reps.is_departed, false) as is_owner_departed,
        erasure_requests.customer_id is null as is_workable,
        customers.preferred_channel as stated_channel,
        lifecycle.known_on,
        lifecycle.lifecycle_stage,
        lifecycle.stage_since_on,
        lifecycle.first_order_on,
        lifecycle.last_order_on,
        lifecycle.order_days,
        lifecycle.missed_intervals,
        lifecycle.expected_next_order_on,
        customer_value.value_tier,
        customer_value.monetary_12m,
        customer_value.gross_profit_12m,
        customer_value.gross_profit_total,
        contacts.last_contact_on,
        contacts.last_rep_contact_on,
        contacts.last_contact_outcome,
        contacts.last_attempt_on,
        {%- for count in ['attempts', 'conversations', 'unanswered_attempts'] %}
        case when supplied.has_contacts then cast(coalesce(contacts.{{ count }}, 0) as integer) end as {{ count }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from lifecycle
    cross join supplied
    inner join customer_value on lifecycle.customer_id = customer_value.customer_id
    inner join customers on lifecycle.customer_id = customers.customer_id
    left join reps on customers.owner_id = reps.rep_id
    left join contacts on lifecycle.customer_id = contacts.customer_id
    left join erasure_requests on lifecycle.customer_id = erasure_requests.customer_id
)

select * from final
