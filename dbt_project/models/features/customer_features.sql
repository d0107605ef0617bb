{%- set parts = [
    'purchases', 'returns', 'payments', 'tickets', 'surveys', 'interactions', 'campaigns', 'loyalty', 'usage',
    'community', 'opportunities', 'consents'
] -%}
with

population as (
    select * from {{ ref('int_customer_states') }}
    {% if not var('features_of_churned') -%}
    where stage <> 'churned'
    {%- endif %}
),

customer_days as (
    select * from {{ ref('int_customer_days') }}
),

customers as (
    select * from {{ ref('stg_customers') }}
),

{% for part in parts -%}
{{ part }} as (
    select * from {{ ref('int_features_' ~ part) }}
),

{% endfor -%}

-- From when on each source is known to count: before, its features are NULL, since nothing seen is not nothing there.
starts as (
    select
        (select min(ordered_on) from customer_days) as orders_on,
        (select min(returned_on) from {{ ref('int_returns') }}) as returns_on,
        (select min(paid_on) from {{ ref('int_orders') }}) as payments_on,
        (select min(opened_on) from {{ ref('stg_tickets') }}) as tickets_on,
        (select min(sent_on) from {{ ref('stg_surveys') }}) as surveys_on,
        (select min(occurred_on) from {{ ref('stg_interactions') }}) as interactions_on,
        (select min(sent_on) from {{ ref('stg_campaign_members') }}) as campaigns_on,
        (select min(posted_on) from {{ ref('stg_loyalty_ledger') }}) as loyalty_on,
        (select min(occurred_on) from {{ ref('stg_usage_events') }}) as usage_on,
        (select min(occurred_on) from {{ ref('stg_community_events') }}) as community_on,
        (select min(attended_on) from {{ ref('stg_trainings') }}) as trainings_on,
        (select min(quoted_on) from {{ ref('stg_opportunities') }}) as opportunities_on,
        (select min(changed_on) from {{ ref('stg_consents') }}) as consents_on
),

final as (
    select
        population.snapshot_on,
        population.customer_id,

        -- where the customer stands
        population.stage,
        cast({{ days_between('population.stage_since', 'population.snapshot_on') }} as integer) as days_in_stage,
        population.units,
        population.segment,
        population.interval_basis,
        population.expected_interval_days,
        population.missed_intervals,
        population.overdue_ratio,

        -- rhythm
        cast({{ days_between('customer_days.ordered_on', 'population.snapshot_on') }} as integer) as recency_days,
        cast({{ days_between('customer_days.first_ordered_on', 'population.snapshot_on') }} as integer) as tenure_days,
        customer_days.order_day_number as order_days,
        customer_days.orders_so_far as orders,
        customer_days.gap_days as last_gap_days,
        population.own_median_days as median_gap_days,
        customer_days.longest_gap_days,
        {{ mean_gap_days() }} as mean_gap_days,
        {{ gap_deviation_days() }} as gap_deviation_days,
        recency_days / cast(nullif(population.own_median_days, 0) as double) as recency_to_median_gap,
        recency_days / cast(nullif(customer_days.longest_gap_days, 0) as double) as recency_to_longest_gap,
        customer_days.gap_days / cast(nullif(population.own_median_days, 0) as double) as last_gap_to_median_gap,

        -- orders and money
        {% for days in [30, 90, 180, 365] -%}
        coalesce(purchases.orders_{{ days }}d, 0) as orders_{{ days }}d,
        coalesce(purchases.net_amount_{{ days }}d, 0) as net_amount_{{ days }}d,
        {% endfor -%}
        coalesce(purchases.order_days_90d, 0) as order_days_90d,
        coalesce(purchases.order_days_365d, 0) as order_days_365d,
        -- the last 90 days less the 90 days before them
        2 * coalesce(purchases.orders_90d, 0) - coalesce(purchases.orders_180d, 0) as orders_change_90d,
        cast(2 * coalesce(purchases.net_amount_90d, 0) - coalesce(purchases.net_amount_180d, 0) as decimal(18, 2))
            as net_amount_change_90d,
        coalesce(purchases.profit_amount_365d, 0) as profit_amount_365d,
        customer_days.net_amount_so_far as net_amount,
        cast(customer_days.net_amount_so_far as double) / customer_days.orders_so_far as average_order_amount,
        customer_days.last_order_amount,
        cast(customer_days.last_order_amount as double) * customer_days.orders_so_far
        / cast(nullif(customer_days.net_amount_so_far, 0) as double) as last_order_to_average,
        purchases.largest_day_amount_365d,
        purchases.quantity_365d,
        cast(customer_days.discounted_orders_so_far as double) / customer_days.orders_so_far as discounted_order_share,
        cast(purchases.discount_amount_365d as double)
        / cast(nullif(purchases.net_amount_365d + purchases.discount_amount_365d, 0) as double) as discount_share_365d,

        -- season
        case
            when {{ days_after('starts.orders_on', 365) }} <= population.snapshot_on
                then coalesce(purchases.orders_same_season, 0)
        end as orders_same_season_last_year,
        {{ season('sin', 'population.snapshot_on') }} as season_sin,
        {{ season('cos', 'population.snapshot_on') }} as season_cos,

        -- what and where
        customer_days.channel as last_channel,
        customer_days.category as last_category,
        purchases.is_multichannel_365d,
        customer_days.categories_so_far as categories,
        {{ flag('customer_days.store_id = customers.home_store_id') }} as is_last_order_at_home_store,

        -- who: no history is kept of these, hence only what hardly ever changes
        customers.acquisition_channel,
        customers.industry,
        customers.region,
        customers.country,
        customers.distance_km,
        case
            when customers.customer_id is not null then {{ flag('customers.referred_by is not null') }}
        end as is_referred,
        case
            when customers.customer_id is not null then {{ flag('customers.company_name is not null') }}
        end as is_company,

        -- returns and payments
        {{ counted('returns', ['returns_90d', 'returns_365d', 'returned_amount_365d']) }},
        returns.days_since_return,
        {{ counted('payments', ['late_payments_365d']) }},
        payments.longest_payment_delay_days_365d,

        -- service
        {{ counted('tickets', [
            'tickets_90d', 'tickets_365d', 'complaints_90d', 'complaints_365d', 'open_tickets', 'open_complaints'
        ]) }},
        tickets.oldest_open_ticket_days,
        tickets.days_since_ticket,
        tickets.days_since_complaint,
        tickets.longest_resolution_days_365d,
        tickets.last_ticket_satisfaction,
        {{ counted('surveys', ['surveys_sent_365d', 'surveys_answered_365d']) }},
        surveys.last_nps_score,
        surveys.last_csat_score,
        surveys.lowest_csat_score_365d,
        surveys.days_since_survey_answer,

        -- contact
        {{ counted('interactions', [
            'interactions_90d', 'interactions_365d', 'inbound_interactions_365d', 'reached_interactions_365d',
            'refused_interactions_365d', 'revisits_365d', 'missed_follow_ups_365d'
        ]) }},
        interactions.days_since_interaction,
        interactions.days_since_reached,
        interactions.is_last_contact_rep_gone,
        {{ counted('campaigns', [
            'campaigns_90d', 'campaigns_365d', 'campaigns_opened_365d', 'campaigns_answered_365d'
        ]) }},
        campaigns.days_since_campaign,
        {{ counted('consents', ['consented_channels']) }},
        consents.days_since_consent_withdrawal,

        -- engagement
        {{ counted('loyalty', ['points_balance', 'points_earned_365d', 'redemptions_365d']) }},
        loyalty.days_since_redemption,
        {{ counted('usage', [
            'usage_events_30d', 'usage_events_90d', 'usage_events_365d', 'usage_events_change_90d', 'usage_quantity_90d'
        ]) }},
        usage.days_since_usage,
        {{ counted('community', ['community_events_90d', 'community_events_365d']) }},
        community.days_since_community_event,
        {{ counted('community', ['trainings', 'trainings_completed'], start='trainings') }},
        community.days_since_training,

        -- sales
        {{ counted('opportunities', [
            'quotations_365d', 'open_opportunities', 'open_quoted_amount', 'opportunities_won_365d',
            'opportunities_lost_365d', 'lost_to_competitor_365d'
        ]) }},
        opportunities.days_since_quotation
    from population
    cross join starts
    inner join customer_days on {{ is_last_order_day('population') }}
    left join customers
        on population.customer_id = customers.customer_id and population.snapshot_on >= customers.created_on
    {% for part in parts -%}
    left join {{ part }}
        on population.snapshot_on = {{ part }}.snapshot_on and population.customer_id = {{ part }}.customer_id
    {% endfor %}
)

select * from final
