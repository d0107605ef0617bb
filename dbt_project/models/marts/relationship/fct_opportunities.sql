with

opportunities as (
    select * from {{ ref('stg_opportunities') }}
),

placed as (
    select
        *,
        case
            when won then 'won'
            when not won then 'lost'
            when closed_on is not null then 'closed'
            else 'open'
        end as status,
        row_number() over by_quote as quote_number,
        lag(quoted_amount) over by_quote as previous_quoted_amount
    from opportunities
    window by_quote as (partition by customer_id order by quoted_at nulls last, opportunity_id)
),

final as (
    select
        opportunity_id,
        customer_id,
        owner_id,
        stage,
        status,
        quoted_amount,
        quoted_on,
        cast(quote_number as integer) as quote_number,
        previous_quoted_amount,
        expected_close_on,
        closed_on,
        case when status = 'won' then quoted_amount end as won_amount,
        cast({{ days_between('quoted_on', 'coalesce(closed_on, ' ~ as_of() ~ ')') }} as integer) as days_open,
        case
            when status <> 'open' or expected_close_on is null then null
            when expected_close_on >= {{ as_of() }} then 0
            else cast({{ days_between('expected_close_on', as_of()) }} as integer)
        end as days_past_expected_close,
        status = 'open'
        and coalesce(
            expected_close_on <= {{ days_after(as_of(), var('signing_soon_days')) }}, false
        ) as is_near_signing,
        loss_reason,
        competitor,
        competitor is not null as is_competitor_named
    from placed
)

select * from final
