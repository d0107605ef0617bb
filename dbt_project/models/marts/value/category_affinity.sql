with

signals as (
    select * from {{ ref('int_category_signals') }}
),

bought as (
    select * from signals
    where signal_kind = 'bought'
),

categories as (
    select distinct signal as category from bought
),

holders as (
    select
        signal_kind,
        signal,
        count(*) as customers
    from signals
    group by signal_kind, signal
),

pairs as (
    select
        signals.signal_kind,
        signals.signal,
        bought.signal as category,
        count(*) filter (where bought.seen_on > signals.seen_on) as followed,
        count(*) filter (where bought.seen_on <= signals.seen_on) as had_it_before
    from signals
    inner join bought on signals.customer_id = bought.customer_id
    where signals.signal_kind <> 'bought' or signals.signal <> bought.signal
    group by signals.signal_kind, signals.signal, bought.signal
),

counted as (
    select
        holders.signal_kind,
        holders.signal,
        categories.category,
        holders.customers - coalesce(pairs.had_it_before, 0) as customers,
        coalesce(pairs.followed, 0) as followed
    from holders
    cross join categories
    left join pairs
        on
            holders.signal_kind = pairs.signal_kind
            and holders.signal = pairs.signal
            and categories.category = pairs.category
    where holders.signal_kind <> 'bought' or holders.signal <> categories.category
),

-- The share to compare with: that of all signals of the kind together.
compared as (
    select
        *,
        {{ ratio(
            'sum(followed) over (partition by signal_kind, category)',
            'sum(customers) over (partition by signal_kind, category)'
        ) }} as usual_share
    from counted
),

final as (
    select
        signal_kind,
        signal,
        category,
        cast(customers as integer) as customers,
        cast(followed as integer) as followed,
        {{ ratio('followed', 'customers') }} as confidence,
        usual_share,
        round(
            (followed + {{ var('affinity_min_customers') }} * usual_share)
            / (customers + {{ var('affinity_min_customers') }}) / nullif(usual_share, 0), 6
        ) as lift
    from compared
    where customers >= {{ var('affinity_min_customers') }}
)

select * from final
