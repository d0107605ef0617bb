{# Consents and addresses, read in one way wherever it is decided who may be contacted. #}

{# The latest choice on marketing per customer and channel, of the relation or CTE of consents. Where two changes carry
   the same time, the withdrawal counts. #}
{%- macro latest_marketing_consents(consents) -%}
    select *
    from {{ consents }}
    where coalesce(basis, 'marketing') = 'marketing'
    qualify row_number() over (partition by customer_id, channel order by changed_at desc, granted asc) = 1
{%- endmacro -%}

{# Which addresses the source delivers at all: where it has no such column, its absence says nothing about a customer. #}
{%- macro addresses_supplied() -%}
    select
        coalesce(bool_or(given) filter (where column_name = 'email'), false) as has_emails,
        coalesce(bool_or(given) filter (where column_name = 'phone'), false) as has_phones
    from {{ ref('source_inventory') }}
    where table_name = 'customers'
{%- endmacro -%}
