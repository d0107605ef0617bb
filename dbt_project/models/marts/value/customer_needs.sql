with

signals as (
    select signals.*
    from {{ ref('int_category_signals') }} as signals
    anti join {{ ref('int_profiling_refusals') }} as refusals on signals.customer_id = refusals.customer_id
),

affinity as (
    select * from {{ ref('category_affinity') }}
),

needs_by_topic as (
    select * from {{ ref('need_by_topic') }}
),

bought as (
    select * from signals
    where signal_kind = 'bought'
),

recent_lines as (
    select distinct
        customer_id,
        category
    from {{ ref('fct_order_lines') }}
    where status = 'completed' and ordered_on > {{ days_after(as_of(), -365) }}
),

mentions as (
    select
        customer_id,
        category as topic,
        opened_on as mentioned_on
    from {{ ref('stg_tickets') }}
    where kind <> 'praise'
    union all
    select
        customer_id,
        topic,
        responded_on as mentioned_on
    from {{ ref('stg_surveys') }}
),

spoken_of as (
    select
        mentions.customer_id,
        'spoken_of' as need_kind,
        needs_by_topic.need,
        cast(null as string) as category,
        count(*) as times,
        max(mentions.mentioned_on) as last_seen_on,
        cast(null as string) as because,
        cast(null as double) as lift
    from mentions
    inner join needs_by_topic on mentions.topic = needs_by_topic.topic
    anti join {{ ref('int_profiling_refusals') }} as refusals on mentions.customer_id = refusals.customer_id
    where mentions.mentioned_on > {{ days_after(as_of(), '-' ~ var('needs_days')) }}
    group by mentions.customer_id, needs_by_topic.need
),

categories as (
    select distinct signal as category from bought
),

-- A category that is wished for and was not bought within a year.
wished_for as (
    select
        signals.customer_id,
        'wished_for' as need_kind,
        signals.signal as need,
        signals.signal as category,
        1 as times,
        signals.seen_on as last_seen_on,
        cast(null as string) as because,
        cast(null as double) as lift
    from signals
    inner join categories on signals.signal = categories.category
    anti join recent_lines
        on signals.customer_id = recent_lines.customer_id and signals.signal = recent_lines.category
    where signals.signal_kind = 'wants'
),

-- From the usual share of those who bought already (of those who only wish, where nothing was bought) each signal leads
-- on by its lift, as if signals knew nothing of each other. Logarithms as decimals: their sum is the same in any order.
weighed as (
    select
        signals.customer_id,
        affinity.category,
        coalesce(
            max(affinity.usual_share) filter (where signals.signal_kind = 'bought'), max(affinity.usual_share)
        ) as usual_share,
        sum(cast(ln(affinity.lift) as decimal(18, 9))) as weight
    from signals
    inner join affinity on signals.signal_kind = affinity.signal_kind and signals.signal = affinity.signal
    group by signals.customer_id, affinity.category
),

likeliest as (
    select
        weighed.customer_id,
        weighed.category
    from weighed
    anti join bought on weighed.customer_id = bought.customer_id and weighed.category = bought.signal
    where weighed.usual_share > 0
    qualify row_number() over (
        partition by weighed.customer_id
        order by weighed.weight + cast(ln(weighed.usual_share) as decimal(18, 9)) desc, weighed.category asc
    ) = 1
),

-- The signal that says most for it.
bought_next as (
    select
        likeliest.customer_id,
        'similar_buyers' as need_kind,
        likeliest.category as need,
        likeliest.category,
        1 as times,
        signals.seen_on as last_seen_on,
        signals.signal_kind || ' ' || signals.signal as because,
        affinity.lift
    from likeliest
    inner join signals on likeliest.customer_id = signals.customer_id
    inner join affinity
        on
            signals.signal_kind = affinity.signal_kind
            and signals.signal = affinity.signal
            and likeliest.category = affinity.category
    qualify row_number() over (
        partition by likeliest.customer_id order by affinity.lift desc, signals.signal_kind asc, signals.signal asc
    ) = 1
),

all_needs as (
    select * from spoken_of
    union all
    select * from wished_for
    union all
    select * from bought_next
),

final as (
    select
        customer_id,
        need_kind,
        need,
        category,
        cast(row_number() over (
            partition by customer_id
            order by
                case need_kind when 'spoken_of' then 1 when 'wished_for' then 2 else 3 end asc,
                times desc,
                last_seen_on desc,
                need asc
        ) as integer) as position,
        cast(times as integer) as times,
        last_seen_on,
        because,
        lift
    from all_needs
)

select * from final
