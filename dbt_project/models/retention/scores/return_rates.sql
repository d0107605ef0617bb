{# Days since the customer counted as churned, as half-open bands. The chance to return falls fastest in the
   first year; bands of a quarter, a half and a year keep enough returns in each. #}
{%- set bands = [('0-90', 0, 90), ('91-180', 90, 180), ('181-365', 180, 365), ('366+', 365, 100000)] -%}

with churn_spells as (
    select * from {{ ref('churn_spells') }}
),

silence_bands as (
    {%- for name, from_day, to_day in bands %}
    select
        '{{ name }}' as silence_band,
        {{ from_day }} as from_day,
        {{ to_day }} as to_day
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

orders_bands as (
    select '1' as orders_band
    union all
    select '2-3' as orders_band
    union all
    select '4+' as orders_band
),

lengths as (
    select
        *,
        {{ days_between('churned_on', 'coalesce(returned_on, ' ~ as_of() ~ ')') }} as days
    from churn_spells
),

-- occurrences and exposure: how often a churned customer returned per day at risk of returning
exposed as (
    select
        lengths.orders_band,
        silence_bands.silence_band,
        count(*) filter (
            where lengths.returned_on is not null and lengths.days < silence_bands.to_day
        ) as returns,
        sum(least(lengths.days, silence_bands.to_day) - silence_bands.from_day) as exposure_days
    from lengths
    inner join silence_bands on lengths.days >= silence_bands.from_day
    group by lengths.orders_band, silence_bands.silence_band
),

-- half a return keeps a company that never saw one from promising that there will be none
overall as (
    select (coalesce(sum(returns), 0) + 0.5) / greatest(coalesce(sum(exposure_days), 0), 365) as returns_per_day
    from exposed
),

orders_after as (
    select
        orders_band,
        count(orders_12m_after_return) as returned_customers,
        coalesce(sum(orders_12m_after_return), 0) as orders_after_return
    from churn_spells
    group by orders_band
),

orders_overall as (
    select
        coalesce(sum(orders_after_return), 0) as orders_after_return,
        coalesce(sum(returned_customers), 0) as returned_customers
    from orders_after
),

shrunk as (
    select
        orders_bands.orders_band,
        silence_bands.silence_band,
        silence_bands.from_day,
        silence_bands.to_day,
        coalesce(exposed.returns, 0) as returns,
        coalesce(exposed.exposure_days, 0) as exposure_days,
        (coalesce(exposed.returns, 0) + {{ var('return_rate_shrinkage') }})
        / (
            coalesce(exposed.exposure_days, 0) + {{ var('return_rate_shrinkage') }} / overall.returns_per_day
        ) as returns_per_day,
        (
            coalesce(orders_after.orders_after_return, 0)
            + {{ var('return_rate_shrinkage') }}
            * coalesce(
                cast(orders_overall.orders_after_return as double) / nullif(orders_overall.returned_customers, 0),
                {{ var('default_orders_after_return') }}
            )
        )
        / (coalesce(orders_after.returned_customers, 0) + {{ var('return_rate_shrinkage') }})
            as orders_12m_after_return
    from orders_bands
    cross join silence_bands
    cross join overall
    cross join orders_overall
    left join exposed
        on orders_bands.orders_band = exposed.orders_band and silence_bands.silence_band = exposed.silence_band
    left join orders_after on orders_bands.orders_band = orders_after.orders_band
),

final as (
    select
        orders_band,
        silence_band,
        cast(from_day as integer) as from_day,
        cast(to_day as integer) as to_day,
        cast(returns as bigint) as returns,
        cast(exposure_days as bigint) as exposure_days,
        cast({{ var('horizon_days') }} as integer) as horizon_days,
        round(1 - exp(-returns_per_day * {{ var('horizon_days') }}), 6) as return_probability,
        round(orders_12m_after_return, 4) as orders_12m_after_return
    from shrunk
)

select * from final
