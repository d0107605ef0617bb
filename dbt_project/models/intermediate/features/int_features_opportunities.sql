with

opportunities as (
    select * from {{ ref('stg_opportunities') }}
),

seen as (
    {{ at_snapshots('opportunities', 'quoted_on') }}
),

-- What became of a quotation after the snapshot's day was not known on it.
standing as (
    select
        *,
        closed_on is null or closed_on > snapshot_on as is_open,
        {{ days_between('closed_on', 'snapshot_on') }} as closed_age_days
    from seen
),

final as (
    select
        snapshot_on,
        customer_id,
        cast(count(*) filter (where age_days < 365) as integer) as quotations_365d,
        cast(count(*) filter (where is_open and age_days < 365) as integer) as open_opportunities,
        cast(coalesce(sum(quoted_amount) filter (where is_open and age_days < 365), 0) as decimal(18, 2))
            as open_quoted_amount,
        cast(count(*) filter (where not is_open and won and closed_age_days < 365) as integer)
            as opportunities_won_365d,
        cast(count(*) filter (where not is_open and not won and closed_age_days < 365) as integer)
            as opportunities_lost_365d,
        cast(count(*) filter (
            where not is_open and not won and competitor is not null and closed_age_days < 365
        ) as integer) as lost_to_competitor_365d,
        min(age_days) as days_since_quotation
    from standing
    group by snapshot_on, customer_id
)

select * from final
