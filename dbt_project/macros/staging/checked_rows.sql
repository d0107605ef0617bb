{# Every row that the lake holds for a table and that is not loaded yet: typed as the contract says, with the
   first rule it breaks. Rows are only ever added, batch by batch; which of them a run sees is decided by
   current_rows. Beside the contract's columns and a business date for every timestamp:

     _batch      as_of of the delivery            _rule       first rule broken; NULL: the row is fine
     _batch_id   identifier of the delivery       _reason     the same for people, without the value
     _part       number of its file within the delivery; of versions that came together, the latest file's counts
     _row        position within the delivery     _value      what stood in the column at fault, unless personal
                                                  _further    further rules broken, between commas
                                                  _duplicate  an exact repeat of a fine row of its delivery
                                                  _contested  another row may be a version of it

   extra_rules: rules over several columns, asked after those of the contract: [{rule, breaks, reason}].

   The first load of a big table is paid in passes over it. There are three, two of them over a few columns:
   repeats are found by the hash that the lake wrote, versions by the key, and only what was found is joined
   to the pass that types the rows. No window runs over all rows, and the order of the lake survives. #}
{%- macro checked_rows(table, extra_rules=[]) -%}
    {%- do source('lake', table) -%}
    {%- set lake_batches = ref('lake_batches') -%}
    {%- set contract = table_contract(table) -%}
    {%- set files = new_files(table, lake_batches) if execute else [] -%}
    {%- set layouts = lake_layouts(files, contract.columns | map(attribute='name') | list + ['_defect', '_part']) -%}
    {%- if layouts -%}
        {{ newly_checked_rows(contract, row_rules(table) + extra_rules, layouts) }}
    {%- else -%}
        {{ no_checked_rows(contract) }}
    {%- endif -%}
{%- endmacro -%}

{%- macro newly_checked_rows(contract, rules, layouts) -%}
with typed as (
{{ typed_rows(contract.columns, layouts) }}
),

repeated_hashes as (
    select _row_hash
    from {{ read_lake(layouts | map(attribute='files') | sum(start=[])) }}
    group by _row_hash
    having count(*) > 1
),

repeats as (
    {%- for layout in layouts %}
    select _batch_id, _row
    from {{ read_lake(layout.files) }}
    where _row_hash in (select _row_hash from repeated_hashes)
    qualify row_number() over (
        partition by _batch_id, _row_hash{% for name in contract.key if name in layout.columns %}, {{ name }}{% endfor %}
        order by _row desc
    ) > 1
    {{- '\n\n    union all\n' if not loop.last }}
    {%- endfor %}
),

{%- set identity = contract.identity | join(', ') %}

new_identities as (
    select {{ identity }}, _batch_id, _part
    from (
{{ typed_rows(contract.columns | selectattr('name', 'in', contract.identity) | list, layouts) }}
    )
    anti join repeats using (_batch_id, _row)
),

contested_identities as (
    select {{ identity }}
    from new_identities
    group by {{ identity }}
    having {{ 'count(*) > 1' if contract.key == contract.identity else 'min(_batch_id) < max(_batch_id) or min(_part) < max(_part)' }}
    {%- if is_incremental() %}

    union

    select distinct {{ identity }}
    from {{ this }} as loaded
    where exists (
        select 1 from new_identities where {{ same_row(contract, 'new_identities', 'loaded') }}
    )
    {%- endif %}
),

judged as (
    select
        {%- for column in contract.columns %}
        {{ column.name }},
        given_{{ column.name }},
        {%- endfor %}
        _defect,
        _batch,
        _batch_id,
        _part,
        _row,
        case
            when _defect is not null then 'row_malformed'
            {%- for rule in rules %}
            when {{ rule.breaks }} then '{{ rule.rule }}'
            {%- endfor %}
        end as _rule
    from typed
),

-- before the joins, which would otherwise carry every value as it was given
valued as (
    select
        {%- for column in contract.columns %}
        {{ column.name }},
        {%- endfor %}
        _defect,
        _batch,
        _batch_id,
        _part,
        _row,
        _rule,
        case when _rule is not null then {{ value_at_fault(rules) }} end as _value,
        case when _rule is not null then {{ further_rules(rules) }} end as _further
    from judged
),

final as (
    select
        {%- for column in contract.columns %}
        valued.{{ column.name }},
        {%- if column.type == 'timestamp' %}
        {{ business_date('valued.' ~ column.name) }} as {{ date_name(column.name) }},
        {%- endif %}
        {%- endfor %}
        valued._batch,
        valued._batch_id,
        valued._part,
        valued._row,
        valued._rule,
        case when valued._rule is not null then
            case valued._rule
                when 'row_malformed' then valued._defect
                {%- for rule in rules %}
                when '{{ rule.rule }}' then {{ reason_text(rule, 'valued._value') }}
                {%- endfor %}
            end
        end as _reason,
        valued._value,
        valued._further,
        valued._rule is null and repeats._row is not null as _duplicate,
        contested.is_contested is not null as _contested
    from valued
    left join repeats
        on valued._batch_id = repeats._batch_id and valued._row = repeats._row
    left join (select *, true as is_contested from contested_identities) as contested
        on {{ same_row(contract, 'valued', 'contested') }}
)

select * from final
{%- endmacro -%}

{# The rows of all layouts with what was given and what could be read of it, for the columns asked for. #}
{%- macro typed_rows(columns, layouts) -%}
    {%- for layout in layouts %}
    select
        {%- for column in columns %}
        {{ typed_value(column, layout.columns.get(column.name)) }} as {{ column.name }},
        given_{{ column.name }},
        {%- endfor %}
        _defect,
        _batch,
        _batch_id,
        _part,
        _row
    from (
        select
            {%- for column in columns %}
            {{ given_value(column, layout.columns.get(column.name)) }} as given_{{ column.name }},
            {%- endfor %}
            _defect,
            _batch,
            _batch_id,
            _part,
            _row
        from (
            select
                {%- for column in columns %}
                {{ written_value(column, layout.columns.get(column.name)) }} as written_{{ column.name }},
                {%- endfor %}
                {{ '_defect' if '_defect' in layout.columns else 'cast(null as string) as _defect' }},
                cast(_batch as date) as _batch,
                _batch_id,
                {{ '_part' if '_part' in layout.columns else '0 as _part' }},
                _row
            from {{ read_lake(layout.files) }}
        )
    )
    {{- '\n\n    union all\n' if not loop.last }}
    {%- endfor %}
{%- endmacro -%}

{# A table that was never delivered, or of which nothing is new: no rows, all columns. #}
{%- macro no_checked_rows(contract) -%}
select
    {%- for column in contract.columns %}
    cast(null as {{ column.type }}) as {{ column.name }},
    {%- if column.type == 'timestamp' %}
    cast(null as date) as {{ date_name(column.name) }},
    {%- endif %}
    {%- endfor %}
    cast(null as date) as _batch,
    cast(null as string) as _batch_id,
    cast(null as integer) as _part,
    cast(null as bigint) as _row,
    cast(null as string) as _rule,
    cast(null as string) as _reason,
    cast(null as string) as _value,
    cast(null as string) as _further,
    cast(null as boolean) as _duplicate,
    cast(null as boolean) as _contested
where false
{%- endmacro -%}

{# A column of the identity may be empty where the contract does not require it: two empty ones are the same. #}
{%- macro same_row(contract, left, right) -%}
    {%- for column in contract.columns if column.name in contract.identity -%}
        {{ left }}.{{ column.name }} {{ '=' if column.meta.required else 'is not distinct from' }} {{ right }}.{{ column.name }}
        {{- ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro -%}

{# Data files of the batches that are not loaded yet, oldest first. #}
{%- macro new_files(table, lake_batches) -%}
    {%- set files = [] -%}
    {%- for batch in run_query(
        "select file from " ~ lake_batches ~ " where table_name = '" ~ table ~ "' and rows > 0"
        ~ (" and batch_id not in (select distinct _batch_id from " ~ this ~ ")" if is_incremental() else "")
        ~ " order by as_of"
    ).rows -%}
        {%- do files.append(lake_path(batch[0])) -%}
    {%- endfor -%}
    {{- return(files) -}}
{%- endmacro -%}

{# Pre-hook of the checked tables: rows of a batch that the lake replaced or dropped go before the new ones come. #}
{%- macro forget_replaced_batches() -%}
    {%- if execute and is_incremental() -%}
        delete from {{ this }}
        where _batch_id not in (
            select batch_id from {{ ref('lake_batches') }}
            where table_name = '{{ this.identifier | replace("checked_", "", 1) }}'
        )
    {%- endif -%}
{%- endmacro -%}
