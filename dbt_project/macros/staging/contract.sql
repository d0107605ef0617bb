{# What lake.yml says about one table, in the form the staging macros work with:
   {columns: [{name, type, meta}], key, time, has_versions}. Empty while dbt only parses. #}
{%- macro table_contract(table) -%}
    {%- set found = {'columns': [], 'key': [], 'time': none, 'has_versions': false} -%}
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
                'has_versions': meta.key | length < found.columns | length,
            }) -%}
        {%- else -%}
            {%- do exceptions.raise_compiler_error(
                "Expected a table '" ~ table ~ "' in models/staging/lake.yml, found none. Declare it there first."
            ) -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(found) -}}
{%- endmacro -%}

{# Names of all tables of the contract, in its order. #}
{%- macro contract_tables() -%}
    {%- set names = [] -%}
    {%- if execute -%}
        {%- for source in graph.sources.values() if source.source_name == 'lake' -%}
            {%- do names.append(source.name) -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(names) -}}
{%- endmacro -%}

{# `paid_at` -> `paid_on`: the name of the business date beside a timestamp. #}
{%- macro date_name(timestamp_name) -%}
    {{- return(timestamp_name[:-3] ~ '_on') -}}
{%- endmacro -%}
