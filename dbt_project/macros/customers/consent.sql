{# The latest choice on marketing per customer and channel, of the relation or CTE of consents. Where two changes carry
   the same time, the withdrawal counts. #}
{%- macro latest_marketing_consents(consents) -%}
    select *
    from {{ consents }}
    where coalesce(basis, 'marketing') = 'marketing'
    qualify row_number() over (partition by customer_id, channel order by changed_at desc, granted asc) = 1
{%- endmacro -%}
