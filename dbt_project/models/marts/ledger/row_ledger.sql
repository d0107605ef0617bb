{%- set tables = contract_tables() -%}
with lake_batches as (
    select * from {{ ref('lake_batches') }}
    where is_visible
),

{{ import_checked_tables(tables) }}currency_without_rate as (
    select * from {{ ref('currency_without_rate') }}
),

counts as (
    {%- for table in tables %}
    select
        '{{ table }}' as table_name,
        _batch_id,
        count(*) filter (where _rule is null and not _duplicate) as fine,
        count(*) filter (where _rule is not null) as quarantined,
        count(*) filter (where _duplicate) as duplicate
    from checked_{{ table }}
    group by _batch_id
    {{- '\n\n    union all\n' if not loop.last }}
    {%- endfor %}
),

superseded as (
    {%- for table in tables %}
    {%- set contract = table_contract(table) %}
    select
        '{{ table }}' as table_name,
        _batch_id,
        count(*) as rows
    from (
        {#- while dbt only parses, and to the linter, the contract is not there yet #}
        {{ superseded_rows(contract, 'checked_' ~ table) if contract.key else 'select _batch_id from checked_' ~ table }}
    ) as superseded_{{ table }}
    group by _batch_id
    {{- '\n\n    union all\n' if not loop.last }}
    {%- endfor %}
),

unconvertible as (
    select
        table_name,
        _batch_id,
        count(*) as rows
    from currency_without_rate
    group by table_name, _batch_id
),

final as (
    select
        lake_batches.as_of,
        lake_batches.table_name,
        cast(lake_batches.rows as bigint) as extracted,
        cast(coalesce(counts.fine, 0) - coalesce(unconvertible.rows, 0) as bigint) as accepted,
        cast(coalesce(counts.quarantined, 0) + coalesce(unconvertible.rows, 0) as bigint) as quarantined,
        cast(coalesce(counts.duplicate, 0) as bigint) as duplicate,
        cast(coalesce(superseded.rows, 0) as bigint) as superseded
    from lake_batches
    left join counts
        on lake_batches.table_name = counts.table_name and lake_batches.batch_id = counts._batch_id
    left join superseded
        on lake_batches.table_name = superseded.table_name and lake_batches.batch_id = superseded._batch_id
    left join unconvertible
        on lake_batches.table_name = unconvertible.table_name and lake_batches.batch_id = unconvertible._batch_id
)

select * from final
