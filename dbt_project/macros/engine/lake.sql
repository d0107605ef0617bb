{# Reading the lake: Parquet files, and beside each a JSON manifest that makes it part of the lake. #}

{# A path within the lake, as it stands between quotes. #}
{%- macro lake_path(path) -%}
    {{- return((var('lake') ~ '/' ~ path) | replace("'", "''")) -}}
{%- endmacro -%}

{# A relation of the batches of every table whose name fits the pattern, straight from the manifests:
   table_name, as_of, batch_id, source, file, rows, columns (between commas: `,a,b,`), extra_columns (the same),
   earliest_on, parts (a list of {label, first_row}, by first_row). #}
{%- macro lake_manifests(table='*') -%}
    {%- set pattern = lake_path(table ~ '/*.json') -%}
    {#- read_json refuses a pattern that nothing matches -#}
    {%- if execute and run_query("select count(*) from glob('" ~ pattern ~ "')").rows[0][0] > 0 -%}
        (
        select
            "table" as table_name,
            cast(as_of as date) as as_of,
            batch_id,
            source,
            file,
            rows,
            ',' || array_to_string(columns, ',') || ',' as columns,
            ',' || array_to_string(extra_columns, ',') || ',' as extra_columns,
            earliest_on,
            parts
        from read_json(
            '{{ pattern }}',
            columns = {
                'table': 'varchar', 'as_of': 'varchar', 'batch_id': 'varchar', 'source': 'varchar',
                'file': 'varchar', 'rows': 'bigint', 'columns': 'varchar[]', 'extra_columns': 'varchar[]',
                'earliest_on': 'date', 'parts': 'struct(label varchar, first_row bigint)[]'
            }
        )
    )
    {%- else -%}
        (
        select
            cast(null as varchar) as table_name, cast(null as date) as as_of, cast(null as varchar) as batch_id,
            cast(null as varchar) as source, cast(null as varchar) as file, cast(null as bigint) as rows,
            cast(null as varchar) as columns, cast(null as varchar) as extra_columns, cast(null as date) as earliest_on,
            cast(null as struct(label varchar, first_row bigint)[]) as parts
        where false
    )
    {%- endif -%}
{%- endmacro -%}

{# The words of a text that stand between commas (`,a,b,`), one per row, in a column `word`. #}
{%- macro words_between_commas(text) -%}
    unnest(string_split(trim({{ text }}, ','), ',')) as word
{%- endmacro -%}

{# The parts of a list of {label, first_row}, one per row, in a column `part`. #}
{%- macro each_part(parts) -%}
    unnest({{ parts }}) as part
{%- endmacro -%}

{# Groups of data files that hold the same columns in the same types, in the order given:
   [{files: [path], columns: {name: type}}]. A CSV delivery is all text, a Parquet one is not,
   and one table may have been delivered both ways. #}
{%- macro lake_layouts(files, column_names) -%}
    {%- set columns_by_file = {} -%}
    {%- if files -%}
        {#- a column inside a nested one may bear the same name, but comes after it -#}
        {%- for name, column, type in run_query(
            "select file_name, name, min_by(duckdb_type, column_id) from parquet_schema(['" ~ files | join("', '") ~ "'])"
            ~ " where name in ('" ~ column_names | join("', '") ~ "') group by file_name, name order by file_name, name"
        ).rows -%}
            {%- do columns_by_file.setdefault(name, {}).update({column: type}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set layouts = {} -%}
    {%- for file in files -%}
        {%- set columns = columns_by_file[file | replace("''", "'")] -%}
        {%- do layouts.setdefault(columns | string, {'files': [], 'columns': columns}).files.append(file) -%}
    {%- endfor -%}
    {{- return(layouts.values() | list) -}}
{%- endmacro -%}

{%- macro read_lake(files) -%}
    read_parquet([
            {%- for file in files %}
            '{{ file }}'{{ ',' if not loop.last }}
            {%- endfor %}
        ])
{%- endmacro -%}
