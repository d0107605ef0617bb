with

products as (
    select * from {{ ref('dim_product') }}
),

order_lines as (
    select * from {{ ref('fct_order_lines') }}
),

returns as (
    select * from {{ ref('fct_returns') }}
),

tickets as (
    select * from {{ ref('fct_tickets') }}
),

supplied as (
    select
        coalesce(bool_or(given) filter (where table_name in ('order_items', 'order_lines')), false) as has_items,
        coalesce(bool_or(given) filter (where table_name in ('returns', 'order_lines')), false) as has_returns,
        coalesce(
            bool_or(given) filter (where table_name = 'tickets' and column_name = 'product_id'), false
        ) as has_complaints
    from {{ ref('source_inventory') }}
),

windows as (
    select 90 as window_days
    union all
    select 365 as window_days
),

-- what was sold and came back was sold
sold_items as (
    select
        order_id,
        product_id,
        quantity,
        ordered_on
    from order_lines
    where status in ('completed', 'returned')
),

-- a return that names a product, a unit of it at least; and all that the order held when the whole of it came back
returned_items as (
    select
        product_id,
        returned_on,
        reason,
        is_faulty,
        coalesce(quantity, 1) as quantity
    from returns
    where product_id is not null
    union all
    select
        sold_items.product_id,
        returns.returned_on,
        returns.reason,
        returns.is_faulty,
        sold_items.quantity
    from returns
    inner join sold_items on returns.order_id = sold_items.order_id
    where returns.is_whole_order
),

complaints as (
    select
        product_id,
        opened_on,
        cause
    from tickets
    where kind = 'complaint' and product_id is not null
),

sold as (
    select
        sold_items.product_id,
        windows.window_days,
        count(*) as lines,
        sum(sold_items.quantity) as quantity
    from sold_items
    inner join windows on sold_items.ordered_on > {{ days_after(as_of(), '-windows.window_days') }}
    group by sold_items.product_id, windows.window_days
),

returned_by_reason as (
    select
        returned_items.product_id,
        windows.window_days,
        returned_items.reason,
        count(*) as returns,
        sum(returned_items.quantity) as quantity,
        sum(returned_items.quantity) filter (where returned_items.is_faulty) as faulty_quantity,
        row_number() over (
            partition by returned_items.product_id, windows.window_days
            order by returned_items.reason is null asc, sum(returned_items.quantity) desc, returned_items.reason asc
        ) as reason_rank
    from returned_items
    inner join windows on returned_items.returned_on > {{ days_after(as_of(), '-windows.window_days') }}
    group by returned_items.product_id, windows.window_days, returned_items.reason
),

returned as (
    select
        product_id,
        window_days,
        sum(returns) as returns,
        sum(quantity) as quantity,
        sum(faulty_quantity) as faulty_quantity,
        max(reason) filter (where reason_rank = 1) as leading_reason
    from returned_by_reason
    group by product_id, window_days
),

complained_by_cause as (
    select
        complaints.product_id,
        windows.window_days,
        complaints.cause,
        count(*) as complaints,
        row_number() over (
            partition by complaints.product_id, windows.window_days
            order by complaints.cause is null asc, count(*) desc, complaints.cause asc
        ) as cause_rank
    from complaints
    inner join windows on complaints.opened_on > {{ days_after(as_of(), '-windows.window_days') }}
    group by complaints.product_id, windows.window_days, complaints.cause
),

complained as (
    select
        product_id,
        window_days,
        sum(complaints) as complaints,
        max(cause) filter (where cause_rank = 1) as leading_cause
    from complained_by_cause
    group by product_id, window_days
),

known as (
    select product_id from products
    union
    select product_id from sold
    union
    select product_id from returned
    union
    select product_id from complained
),

measured as (
    select
        known.product_id,
        windows.window_days,
        products.product_name,
        products.category,
        case when supplied.has_items then cast(coalesce(sold.lines, 0) as bigint) end as sold_lines,
        case when supplied.has_items then cast(coalesce(sold.quantity, 0) as decimal(18, 3)) end as sold_quantity,
        case when supplied.has_returns then cast(coalesce(returned.returns, 0) as bigint) end as returns,
        case
            when supplied.has_returns then cast(coalesce(returned.quantity, 0) as decimal(18, 3))
        end as returned_quantity,
        case
            when supplied.has_returns then cast(coalesce(returned.faulty_quantity, 0) as decimal(18, 3))
        end as faulty_quantity,
        returned.leading_reason as leading_return_reason,
        case when supplied.has_complaints then cast(coalesce(complained.complaints, 0) as integer) end as complaints,
        complained.leading_cause as leading_complaint_cause
    from known
    cross join windows
    cross join supplied
    left join products on known.product_id = products.product_id
    left join sold on known.product_id = sold.product_id and windows.window_days = sold.window_days
    left join returned on known.product_id = returned.product_id and windows.window_days = returned.window_days
    left join complained on known.product_id = complained.product_id and windows.window_days = complained.window_days
),

rated as (
    select
        *,
        {{ ratio('returned_quantity', 'sold_quantity') }} as return_rate,
        {{ ratio('1000 * complaints', 'sold_quantity') }} as complaints_per_1000_sold,
        {{ ratio('sum(returned_quantity) over whole', 'sum(sold_quantity) over whole') }} as return_rate_of_all,
        {{ ratio('1000 * sum(complaints) over whole', 'sum(sold_quantity) over whole') }} as complaints_per_1000_of_all,
        -- lines, not units: a line of twenty screws comes back or is complained about once
        {{ ratio('sold_lines * sum(returns) over whole', 'sum(sold_lines) over whole') }} as expected_returns,
        {{ ratio('sold_lines * sum(complaints) over whole', 'sum(sold_lines) over whole') }} as expected_complaints
    from measured
    window whole as (partition by window_days)
),

final as (
    select
        product_id,
        window_days,
        product_name,
        category,
        sold_lines,
        sold_quantity,
        returned_quantity,
        return_rate,
        return_rate_of_all,
        faulty_quantity,
        returns,
        expected_returns,
        leading_return_reason,
        complaints,
        expected_complaints,
        complaints_per_1000_sold,
        complaints_per_1000_of_all,
        leading_complaint_cause,
        {{ poisson_lower_end('returns', var('quality_alarm_deviations')) }} > expected_returns
            as is_returned_conspicuously,
        {{ poisson_lower_end('complaints', var('quality_alarm_deviations')) }} > expected_complaints
            as is_complained_conspicuously
    from rated
)

select * from final
