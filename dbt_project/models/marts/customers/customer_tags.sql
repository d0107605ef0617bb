{#- Tags that follow from figures: a tag is one line here. The conditions read the columns of `facts`. -#}
{%- set derived = [
    {'kind': 'value', 'tag': 'vip', 'when': "grade_vip = 'VIP'"},
    {'kind': 'value', 'tag': 'core', 'when': "value_tier = 'core'"},
    {'kind': 'value', 'tag': 'big_spender', 'when': "segment_amount = 'high'"},
    {'kind': 'habit', 'tag': 'frequent_buyer', 'when': "segment_frequency = 'frequent'"},
    {'kind': 'habit', 'tag': 'online_buyer', 'when': "buys_where = 'online'"},
    {'kind': 'habit', 'tag': 'shop_buyer', 'when': "buys_where = 'offline'"},
    {'kind': 'habit', 'tag': 'omnichannel_buyer', 'when': "buys_where = 'both'"},
    {'kind': 'habit', 'tag': 'premium_buyer', 'when': "price_band = 'premium'"},
    {'kind': 'habit', 'tag': 'discount_hunter',
     'when': 'orders_total >= ' ~ var('preference_min_orders') ~ ' and discount_dependency >= ' ~ var('discount_share')},
    {'kind': 'engagement', 'tag': 'community_active', 'when': 'is_engaged_30d'},
    {'kind': 'engagement', 'tag': 'trained', 'when': 'trainings_completed > 0'},
    {'kind': 'engagement', 'tag': 'recommends_us', 'when': 'referred_buyers > 0'},
    {'kind': 'profile', 'tag': 'company', 'when': 'is_company'},
    {'kind': 'profile', 'tag': 'profile_incomplete', 'when': 'profile_completeness < ' ~ var('profile_incomplete_below')},
] -%}
with

customers as (
    select customers.*
    from {{ ref('dim_customer') }} as customers
    anti join {{ ref('int_profiling_refusals') }} as refusals on customers.customer_id = refusals.customer_id
),

facts as (
    select
        customers.customer_id,
        customers.is_company,
        customers.profile_completeness,
        customer_value.value_tier,
        customer_value.grade_vip,
        customer_value.orders_total,
        customer_value.discount_dependency,
        segments.segment_frequency,
        segments.segment_amount,
        preferences.buys_where,
        preferences.price_band,
        engagement.is_engaged_30d,
        engagement.trainings_completed,
        engagement.referred_buyers
    from customers
    inner join {{ ref('customer_value') }} as customer_value on customers.customer_id = customer_value.customer_id
    inner join {{ ref('customer_segments') }} as segments on customers.customer_id = segments.customer_id
    inner join {{ ref('customer_preferences') }} as preferences on customers.customer_id = preferences.customer_id
    inner join {{ ref('customer_engagement') }} as engagement on customers.customer_id = engagement.customer_id
),

final as (
    select
        signals.customer_id,
        case signals.signal_kind when 'wants' then 'demand' else 'asset' end as tag_kind,
        signals.signal as tag
    from {{ ref('int_category_signals') }} as signals
    inner join customers on signals.customer_id = customers.customer_id
    where signals.signal_kind in ('wants', 'owns')
    union all
    select
        needs.customer_id,
        'need' as tag_kind,
        needs.need as tag
    from {{ ref('customer_needs') }} as needs
    inner join customers on needs.customer_id = customers.customer_id
    where needs.need_kind = 'spoken_of'
    {%- for rule in derived %}
    union all
    select
        customer_id,
        '{{ rule.kind }}' as tag_kind,
        '{{ rule.tag }}' as tag
    from facts
    where {{ rule.when }}
    {%- endfor %}
)

select * from final
