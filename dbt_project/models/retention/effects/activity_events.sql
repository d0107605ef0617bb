{{ config(materialized='view') }}

{%- set answer_days = var('revisit_answer_days') %}

with interactions as (
    select * from {{ ref('stg_interactions') }}
),

trainings as (
    select * from {{ ref('stg_trainings') }}
),

community_events as (
    select * from {{ ref('stg_community_events') }}
),

contact_channel as (
    select * from {{ ref('contact_channel') }}
),

visits as (
    select
        interactions.customer_id,
        interactions.occurred_on,
        max_by(interactions.channel, interactions.interaction_id) as channel,
        bool_or(coalesce(interactions.outcome in ('reached', 'done'), false)) as is_reached,
        sum(coalesce(contact_channel.contact_cost, {{ var('default_contact_cost') }})) as cost
    from interactions
    left join contact_channel on interactions.channel = contact_channel.channel
    where interactions.kind = 'revisit' and coalesce(interactions.direction, 'outbound') = 'outbound'
    group by interactions.customer_id, interactions.occurred_on
),

-- the tries before somebody answers belong to the same revisit
revisits as (
    select
        customer_id,
        occurred_on,
        coalesce(channel, 'unknown') as code,
        bool_or(is_reached) over within_answer_days as is_reached,
        sum(cost) over within_answer_days as cost
    from visits
    window within_answer_days as (
        partition by customer_id
        order by {{ days_between("date '1970-01-01'", 'occurred_on') }}
        range between current row and {{ answer_days }} following
    )
),

attended as (
    select
        customer_id,
        attended_on as occurred_on,
        min(coalesce(course, 'unknown')) as code,
        bool_or(coalesce(completed, true)) as is_reached
    from trainings
    group by customer_id, attended_on
),

engaged as (
    select distinct
        customer_id,
        occurred_on
    from community_events
),

together as (
    select
        'revisit' as activity_kind,
        code as activity_code,
        customer_id,
        occurred_on,
        is_reached,
        cast(cost as decimal(18, 2)) as cost
    from revisits
    union all
    select
        'training' as activity_kind,
        code as activity_code,
        customer_id,
        occurred_on,
        is_reached,
        cast(null as decimal(18, 2)) as cost
    from attended
    union all
    select
        'community' as activity_kind,
        'all' as activity_code,
        customer_id,
        occurred_on,
        cast(null as boolean) as is_reached,
        cast(null as decimal(18, 2)) as cost
    from engaged
),

final as (
    select
        activity_kind,
        activity_code,
        customer_id,
        occurred_on,
        lag(occurred_on) over (
            partition by activity_kind, customer_id order by occurred_on
        ) as previous_on,
        is_reached,
        cost
    from together
)

select * from final
