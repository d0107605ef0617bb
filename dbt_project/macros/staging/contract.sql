{# What lake.yml says about one table, in the form the staging macros work with:
   {columns: [{name, type, meta}], key, identity, time, instead, switches_off}. Empty while dbt only parses. #}
{%- macro table_contract(table) -%}
    {%- set found = {'columns': [], 'key': [], 'identity': [], 'time': none} -%}
    {%- if execute -%}
        {%- for source in graph.sources.values() if source.source_name == 'lake' and source.name == table -%}
            {%- for column in source.columns.values() -%}
                {%- do found.columns.append({
                    'name': column.name, 'type': column.data_type, 'meta': column.config.meta or column.meta
                }) -%}
            {%- endfor -%}
            {%- set meta = source.config.meta or source.meta -%}
            {%- do found.update({
                'key': meta.key,
                'time': meta.time,
                'instead': meta.instead,
                'switches_off': meta.switches_off or {},
                'identity': meta.identity or meta.key,
            }) -%}
        {%- else -%}
            {%- do exceptions.raise_compiler_error(
                "Expected a table '" ~ table ~ "' in models/staging/lake.yml, found none. Declare it there first."
            ) -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(found) -}}
{%- endmacro -%}

{# Names of all tables of the contract, in its order. Written out because dbt must know the tables that a
   model reads before it has read lake.yml; a difference between the two stops the run. #}
{%- macro contract_tables() -%}
    {%- set names = [
        'customers', 'contacts', 'order_lines', 'orders', 'order_items', 'products', 'assets', 'returns',
        'interactions', 'tickets', 'surveys', 'campaigns', 'campaign_members', 'loyalty_ledger', 'reps',
        'opportunities', 'consents', 'trainings', 'community_events', 'usage_events', 'churn_feedback',
        'erasure_requests'
    ] -%}
    {%- if execute -%}
        {%- set declared = graph.sources.values() | selectattr('source_name', 'equalto', 'lake') | map(attribute='name') | list -%}
        {%- if names | sort != declared | sort -%}
            {%- do exceptions.raise_compiler_error(
                'Expected the tables of models/staging/lake.yml in macros/staging/contract.sql, found a difference: '
                ~ (names | reject('in', declared) | list + declared | reject('in', names) | list) | join(', ')
            ) -%}
        {%- endif -%}
    {%- endif -%}
    {{- return(names) -}}
{%- endmacro -%}

{# The time columns with the first of which the value of a column becomes known. #}
{%- macro known_with(column) -%}
    {%- set events = column.meta.known_with or [] -%}
    {{- return([events] if events is string else events) -}}
{%- endmacro -%}

{# `paid_at` -> `paid_on`: the name of the business date beside a timestamp. #}
{%- macro date_name(timestamp_name) -%}
    {{- return(timestamp_name[:-3] ~ '_on') -}}
{%- endmacro -%}

{# Import CTEs of the checked tables, for what looks at all of them. #}
{%- macro import_checked_tables(tables) -%}
    {%- for table in tables -%}
checked_{{ table }} as (
    select * from {{ ref('checked_' ~ table) }}
),

{% endfor -%}
{%- endmacro -%}
