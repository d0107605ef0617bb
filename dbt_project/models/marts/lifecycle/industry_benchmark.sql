{%- set customer_stages = ['new', 'active', 'watch', 'quasi_churned', 'won_back'] -%}
with

customers as (
    select * from {{ ref('dim_customer') }}
    where is_company
),

history as (
    select * from {{ ref('lifecycle_history') }}
),

customer_value as (
    select * from {{ ref('customer_value') }}
),

lifecycle as (
    select * from {{ ref('customer_lifecycle') }}
),

-- the twelve months before the day after as_of, and the twelve before those
years as (
    select
        'last' as year_name,
        {{ months_after(days_after(as_of(), 1), -12) }} as from_on,
        {{ days_after(as_of(), 1) }} as until_on
    union all
    select
        'before' as year_name,
        {{ months_after(days_after(as_of(), 1), -24) }} as from_on,
        {{ months_after(days_after(as_of(), 1), -12) }} as until_on
),

at_start as (
    select
        years.year_name,
        history.customer_id
    from years
    inner join history
        on years.from_on > history.valid_from
        and (history.valid_to is null or years.from_on <= history.valid_to)
    where history.stage in ('{{ customer_stages | join("', '") }}')
),

-- whoever left and came back within the year has left once
left_in_year as (
    select distinct
        years.year_name,
        history.customer_id
    from years
    inner join history
        on years.from_on <= history.valid_from and years.until_on > history.valid_from
    where history.stage = 'churned'
),

followed as (
    select
        customers.customer_id,
        lifecycle.lifecycle_stage,
        lifecycle.expected_interval_days,
        customer_value.orders_12m,
        customer_value.monetary_12m,
        customer_value.gross_profit_12m,
        max(case when at_start.year_name = 'last' then 1 else 0 end) as at_start,
        max(case when at_start.year_name = 'last' and left_in_year.customer_id is not null then 1 else 0 end) as has_left,
        max(case when at_start.year_name = 'before' then 1 else 0 end) as at_start_before,
        max(case when at_start.year_name = 'before' and left_in_year.customer_id is not null then 1 else 0 end) as had_left_before,
        coalesce(customers.industry, 'unknown') as industry
    from customers
    inner join lifecycle on customers.customer_id = lifecycle.customer_id
    left join customer_value on customers.customer_id = customer_value.customer_id
    left join at_start on customers.customer_id = at_start.customer_id
    left join left_in_year
        on at_start.year_name = left_in_year.year_name and at_start.customer_id = left_in_year.customer_id
    group by all
),

counted as (
    select
        coalesce(industry, 'all') as industry,
        count(*) as companies,
        count(*) filter (where lifecycle_stage not in ('prospect', 'churned')) as active_companies,
        sum(at_start) as companies_at_start,
        sum(has_left) as churned_companies,
        sum(at_start_before) as companies_at_start_before,
        sum(had_left_before) as churned_companies_before,
        sum(orders_12m) as orders_12m,
        sum(monetary_12m) as net_amount_12m,
        sum(gross_profit_12m) as profit_12m,
        cast(sum(expected_interval_days) as double) / nullif(count(expected_interval_days), 0) as expected_interval_days
    from followed
    group by grouping sets ((industry), ())
),

rated as (
    select
        *,
        cast(churned_companies as double) / nullif(companies_at_start, 0) as churn_rate,
        cast(churned_companies_before as double) / nullif(companies_at_start_before, 0) as churn_rate_before
    from counted
),

compared as (
    select
        *,
        {{ wilson_end('churn_rate', 'companies_at_start', '-') }} as lower_95,
        {{ wilson_end('churn_rate', 'companies_at_start', '+') }} as upper_95,
        max(case when industry = 'all' then churn_rate end) over () as churn_rate_all,
        sum(case when industry = 'all' then net_amount_12m end) over () as net_amount_all
    from rated
),

final as (
    select
        industry,
        cast(companies as integer) as companies,
        cast(active_companies as integer) as active_companies,
        cast(companies_at_start as integer) as companies_at_start,
        cast(churned_companies as integer) as churned_companies,
        round(churn_rate, 6) as churn_rate_12m,
        round(lower_95, 6) as churn_rate_lower_95,
        round(upper_95, 6) as churn_rate_upper_95,
        round(churn_rate_all, 6) as churn_rate_all_12m,
        case
            when churn_rate is null or industry = 'all' then null
            when lower_95 > churn_rate_all then 'worse'
            when upper_95 < churn_rate_all then 'better'
            else 'not_distinguishable'
        end as against_all,
        round(churn_rate_before, 6) as churn_rate_previous_12m,
        cast(orders_12m as integer) as orders_12m,
        cast(net_amount_12m as decimal(18, 2)) as net_amount_12m,
        cast(profit_12m as decimal(18, 2)) as profit_12m,
        {{ ratio('net_amount_12m', 'net_amount_all') }} as share_of_amount,
        {{ ratio('profit_12m', 'active_companies') }} as profit_per_active_company,
        round(expected_interval_days, 2) as expected_interval_days
    from compared
)

select * from final
