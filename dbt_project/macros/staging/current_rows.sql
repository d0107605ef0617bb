{# What a run for as_of sees of a table: fine rows whose event had happened, each key once, and of these
   only the values that were known by then. Test accounts are no customers: rows of customers leave them out. #}
{%- macro current_rows(table, of_customers=true) -%}
    {%- set checked = ref('checked_' ~ table) -%}
    {%- set left_out = ref('test_accounts') if of_customers -%}
    {#- while dbt only parses, the contract is not there yet -#}
    {%- if execute -%} {{ visible_rows(table_contract(table), checked, left_out) }} {%- endif -%}
{%- endmacro -%}

{%- macro visible_rows(contract, checked, left_out) -%}
with superseded as (
    {{ superseded_rows(contract, checked) }}
),

final as (
    select
        {%- for column in contract.columns %}
        {{ known_value(column, column.name) }}
        {%- if column.type == 'timestamp' %},
        {{ known_value(column, date_name(column.name)) }}
        {%- endif %}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ checked }}
    anti join superseded using (_batch_id, _row)
    {%- if left_out %}
    anti join {{ left_out }} as left_out using (customer_id)
    {%- endif %}
    where {{ is_visible(contract) }}
)

select * from final
{%- endmacro -%}

{# The rows in whose place another version of the same row counts. #}
{%- macro superseded_rows(contract, checked) -%}
    select _batch_id, _row
    from {{ checked }} as checked
    where
        {{ is_visible(contract) }}
        and exists (
            select 1
            from {{ checked }} as contested
            where contested._contested and {{ same_row(contract, 'checked', 'contested') }}
        )
    qualify {{ rank_of_version(contract) }} > 1
{%- endmacro -%}

{# Fine, no repeat, and happened by the end of as_of. Event time alone decides, so that a late row or a correction
   restates the past; `as_known_then` sees only what had been delivered. #}
{%- macro is_visible(contract) -%}
    _rule is null and not _duplicate
    and coalesce({{ date_name(contract.time) }} <= {{ as_of() }}, true)
    {%- if var('as_known_then') %} and _batch <= {{ as_of() }} {%- endif %}
{%- endmacro -%}

{# Of several versions of a row the one written last by the end of as_of; if all were written later, the earliest of
   them is nearest to what was known. Without `updated_at`, the one delivered last. Rows that only agree in
   their identity are versions of each other when they came with different deliveries, or with different files of one. #}
{%- macro rank_of_version(contract) -%}
    {%- if contract.key == contract.identity -%}
        row_number() over (
        partition by {{ contract.key | join(', ') }}
        order by
            {%- if 'updated_at' in contract.columns | map(attribute='name') %}
            coalesce(updated_on > {{ as_of() }}, false),
            case when updated_on > {{ as_of() }} then updated_at end,
            updated_at desc nulls last,
            {%- endif %}
            _batch desc,
            _row desc
    )
    {%- else -%}
        rank() over (
        partition by {{ contract.identity | join(', ') }}
        order by _batch desc, _part desc
    )
    {%- endif -%}
{%- endmacro -%}

{# A value that becomes known with an event, or the first of several, is NULL before that event. #}
{%- macro known_value(column, name) -%}
    {%- set events = [] -%}
    {%- for event in known_with(column) %}{% do events.append(date_name(event)) %}{% endfor -%}
    {%- if events -%}
        {%- set known_on = events[0] if events | length == 1 else 'least(' ~ events | join(', ') ~ ')' -%}
        case when coalesce({{ known_on }} <= {{ as_of() }}, true) then {{ name }} end as {{ name }}
    {%- else -%}
        {{ name }}
    {%- endif -%}
{%- endmacro -%}
