{%- set counted_in = {
    'orders': ['orders.channel', 'order_lines.channel'],
    'customers_won': ['customers.acquisition_channel'],
    'customers_preferring': ['customers.preferred_channel'],
    'interactions': ['interactions.channel'],
    'tickets': ['tickets.channel'],
    'campaigns': ['campaigns.channel'],
} -%}
with

channel_kinds as (
    select * from {{ ref('channel_kind') }}
),

contact_channels as (
    select * from {{ ref('contact_channel') }}
),

supplied as (
    {{ facts_given(ref('source_inventory'), counted_in) }}
),

seen as (
    select
        channel,
        'orders' as seen_in,
        count(*) as times
    from {{ ref('int_purchases') }}
    group by channel
    union all
    select
        acquisition_channel as channel,
        'acquisition' as seen_in,
        count(*) as times
    from {{ ref('stg_customers') }}
    group by acquisition_channel
    union all
    select
        preferred_channel as channel,
        'preference' as seen_in,
        count(*) as times
    from {{ ref('stg_customers') }}
    group by preferred_channel
    union all
    select
        channel,
        'interactions' as seen_in,
        count(*) as times
    from {{ ref('stg_interactions') }}
    group by channel
    union all
    select
        channel,
        'tickets' as seen_in,
        count(*) as times
    from {{ ref('stg_tickets') }}
    group by channel
    union all
    select
        channel,
        'campaigns' as seen_in,
        count(*) as times
    from {{ ref('stg_campaigns') }}
    group by channel
),

used as (
    select
        channel,
        sum(times) filter (where seen_in = 'orders') as orders,
        sum(times) filter (where seen_in = 'acquisition') as customers_won,
        sum(times) filter (where seen_in = 'preference') as customers_preferring,
        sum(times) filter (where seen_in = 'interactions') as interactions,
        sum(times) filter (where seen_in = 'tickets') as tickets,
        sum(times) filter (where seen_in = 'campaigns') as campaigns
    from seen
    where channel is not null
    group by channel
),

known as (
    select channel from used
    union
    select channel from contact_channels
),

final as (
    select
        known.channel,
        coalesce(channel_kinds.title, known.channel) as title,
        channel_kinds.is_online,
        contact_channels.channel is not null as is_for_contact,
        contact_channels.needs,
        contact_channels.contact_cost,
        {%- for count in counted_in %}
        case when supplied.{{ count }} then cast(coalesce(used.{{ count }}, 0) as integer) end as {{ count }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from known
    cross join supplied
    left join channel_kinds on known.channel = channel_kinds.channel
    left join contact_channels on known.channel = contact_channels.channel
    left join used on known.channel = used.channel
)

select * from final
