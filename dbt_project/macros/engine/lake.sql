{# Reading the lake: Parquet files, and beside each a JSON manifest that makes it part of the lake. #}

{# A relation of the batches of every table whose name fits the pattern, straight from the manifests:
   table_name, as_of, batch_id, file, rows, columns (between commas: `,a,b,`), earliest_on. #}
{%- macro lake_manifests(table='*') -%}
    {%- set pattern = var('lake') ~ '/' ~ table ~ '/*.json' -%}
    {#- read_json refuses a pattern that nothing matches -#}
    {%- if execute and run_query("select count(*) from glob('" ~ pattern ~ "')").rows[0][0] > 0 -%}
        (
        select
            "table" as table_name,
            cast(as_of as date) as as_of,
            batch_id,
            file,
            rows,
            ',' || array_to_string(columns, ',') || ',' as columns,
            earliest_on
        from read_json(
            '{{ pattern }}',
            columns = {
                'table': 'varchar', 'as_of': 'varchar', 'batch_id': 'varchar',
                'file': 'varchar', 'rows': 'bigint', 'columns': 'varchar[]', 'earliest_on': 'date'
            }
        )
    )
    {%- else -%}
        (
        select
            cast(null as varchar) as table_name, cast(null as date) as as_of, cast(null as varchar) as batch_id,
            cast(null as varchar) as file, cast(null as bigint) as rows, cast(null as varchar) as columns,
            cast(null as date) as earliest_on
        where false
    )
    {%- endif -%}
{%- endmacro -%}

{# Groups of data files that hold the same columns in the same types, oldest first:
   [{files: [path], columns: {name: type}}]. A CSV delivery is all text, a Parquet one is not,
   and one table may have been delivered both ways. #}
{%- macro lake_layouts(table, column_names, loaded_batches) -%}
    {%- set layouts = {} -%}
    {%- if execute -%}
        {%- set new_batches = run_query(
            "select file from " ~ lake_manifests(table) ~ " where rows > 0"
            ~ (" and batch_id not in ('" ~ loaded_batches | join("', '") ~ "')" if loaded_batches else "")
            ~ " order by as_of"
        ) -%}
        {%- for batch in new_batches.rows -%}
            {%- set file = var('lake') ~ '/' ~ batch[0] -%}
            {%- set columns = {} -%}
            {%- for column in run_query("describe from read_parquet('" ~ file ~ "')").rows -%}
                {%- if column[0] in column_names -%} {%- do columns.update({column[0]: column[1]}) -%} {%- endif -%}
            {%- endfor -%}
            {%- do layouts.setdefault(columns | string, {'files': [], 'columns': columns}).files.append(file) -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(layouts.values() | list) -}}
{%- endmacro -%}

{%- macro read_lake(files) -%}
    read_parquet([
            {%- for file in files %}
            '{{ file }}'{{ ',' if not loop.last }}
            {%- endfor %}
        ])
{%- endmacro -%}

{%- macro delete_batches_not_in(relation, batch_ids) -%}
    delete from {{ relation }}
    {%- if batch_ids %} where _batch_id not in ('{{ batch_ids | join("', '") }}') {%- endif -%}
{%- endmacro -%}
