with orders as (
    select * from {{ ref('checked_orders') }}
),

order_lines as (
    select * from {{ ref('checked_order_lines') }}
),

exchange_rates as (
    select * from {{ ref('exchange_rates') }}
),

fine_rows as (
    select
        currency,
        ordered_on
    from orders
    where _rule is null

    union all

    select
        currency,
        ordered_on
    from order_lines
    where _rule is null
),

named_currencies as (
    select
        currency,
        count(*) as uses
    from fine_rows
    where currency is not null and ordered_on <= {{ as_of() }}
    group by currency
),

home as (
    {%- if var('home_currency') %}
    select '{{ var("home_currency") | upper }}' as currency
    {%- else %}
    select currency
    from named_currencies
    order by uses desc, currency asc
    limit 1
    {%- endif %}
),

values_over_time as (
    select
        upper(currency) as currency,
        valid_from,
        coalesce(
            lead(valid_from) over (partition by upper(currency) order by valid_from),
            cast('{{ var("latest_plausible_on") }}' as date)
        ) as valid_to,
        value,
        coalesce(basis = 'illustrative', false) as is_illustrative
    from exchange_rates
),

home_values as (
    select values_over_time.*
    from values_over_time
    inner join home on values_over_time.currency = home.currency
),

final as (
    select
        currency,
        cast('{{ var("earliest_plausible_on") }}' as date) as valid_from,
        cast('{{ var("latest_plausible_on") }}' as date) as valid_to,
        cast(1 as decimal(18, 9)) as home_rate,
        true as is_home,
        false as is_illustrative
    from home

    union all

    select
        foreign_values.currency,
        greatest(foreign_values.valid_from, home_values.valid_from) as valid_from,
        least(foreign_values.valid_to, home_values.valid_to) as valid_to,
        cast(foreign_values.value / home_values.value as decimal(18, 9)) as home_rate,
        false as is_home,
        foreign_values.is_illustrative or home_values.is_illustrative as is_illustrative
    from values_over_time as foreign_values
    inner join home_values
        on
            foreign_values.currency <> home_values.currency
            and foreign_values.valid_from < home_values.valid_to
            and foreign_values.valid_to > home_values.valid_from
)

select * from final
