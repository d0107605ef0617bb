{# Whether anything may be published. Where consents are kept, a run without a fresh delivery of them knows less than
   the customers said: it must not publish. An empty delivery is one: nothing has changed. #}
with deliveries as (
    select max(as_of) as last_delivered_on
    from {{ lake_manifests('consents') }}
    where as_of <= {{ as_of() }}
),

consents as (
    select
        max(changed_on) as last_change_on,
        count(distinct customer_id) as customers
    from {{ ref('stg_consents') }}
),

judged as (
    select
        *,
        deliveries.last_delivered_on is not null or consents.customers > 0 as is_supplied,
        cast({{ days_between('deliveries.last_delivered_on', as_of()) }} as integer) as age_days
    from deliveries
    cross join consents
),

final as (
    select
        {{ as_of() }} as as_of_date,
        is_supplied,
        last_delivered_on,
        age_days,
        cast({{ var('consent_max_age_days') }} as integer) as max_age_days,
        last_change_on,
        cast(customers as integer) as customers_with_consents,
        not is_supplied or coalesce(age_days <= {{ var('consent_max_age_days') }}, false) as may_publish
    from judged
)

select * from final
