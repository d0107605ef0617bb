{%- set profile_columns = [
    'name', 'email', 'phone', 'city', 'region', 'country', 'acquisition_channel', 'preferred_channel', 'owner_id'
] -%}
with

known as (
    select * from {{ ref('int_customers') }}
),

customers as (
    select * from {{ ref('stg_customers') }}
),

supplied as (
    {{ columns_given(
        ref('source_inventory'), 'customers', {'has_companies': 'company_name', 'has_emails': 'email', 'has_phones': 'phone'}
    ) }}
),

profiles as (
    select
        known.customer_id,
        known.known_on,
        known.is_recorded,
        case when supplied.has_companies then customers.company_name is not null end as is_company,
        customers.industry,
        customers.city,
        customers.region,
        customers.country,
        customers.acquisition_channel,
        customers.preferred_channel,
        customers.owner_id,
        customers.home_store_id,
        customers.distance_km,
        customers.referred_by,
        customers.crm_grade,
        customers.demand_tags,
        customers.fit_score,
        case when supplied.has_emails then customers.email is not null end as has_email,
        case when supplied.has_phones then customers.phone is not null end as has_phone,
        case when known.is_recorded then cast(
            {% for column in profile_columns -%}
            case when customers.{{ column }} is null then 0 else 1 end{{ ' +' if not loop.last }}
            {% endfor -%}
        as integer) end as profile_fields_filled,
        case when known.is_recorded then cast({{ profile_columns | length }} as integer) end as profile_fields,
        customers.updated_on as profile_updated_on
    from known
    cross join supplied
    left join customers on known.customer_id = customers.customer_id
),

final as (
    select
        *,
        {{ ratio('profile_fields_filled', 'profile_fields') }} as profile_completeness,
        case
            when profile_updated_on <= {{ as_of() }} then cast({{ days_between('profile_updated_on', as_of()) }} as integer)
        end as days_since_profile_update
    from profiles
)

select * from final
