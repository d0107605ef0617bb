with orders as (
    select * from {{ ref('checked_orders') }}
),

order_lines as (
    select * from {{ ref('checked_order_lines') }}
),

currency_rates as (
    select * from {{ ref('currency_rates') }}
),

fine_rows as (
    select
        'orders' as table_name,
        _batch,
        _batch_id,
        _row,
        order_id,
        currency,
        ordered_on
    from orders
    where _rule is null and not _duplicate

    union all

    select
        'order_lines' as table_name,
        _batch,
        _batch_id,
        _row,
        order_id,
        currency,
        ordered_on
    from order_lines
    where _rule is null and not _duplicate
),

final as (
    select
        fine_rows.table_name,
        fine_rows._batch,
        fine_rows._batch_id,
        fine_rows._row,
        fine_rows.order_id,
        fine_rows.currency
    from fine_rows
    left join currency_rates
        on
            fine_rows.currency = currency_rates.currency
            and fine_rows.ordered_on >= currency_rates.valid_from
            and fine_rows.ordered_on < currency_rates.valid_to
    where fine_rows.currency is not null and currency_rates.home_rate is null
)

select * from final
