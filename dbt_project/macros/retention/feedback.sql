{# What Homing itself wrote into the lake: scores, evaluations, published lists. #}

{# The data files of the batches that a run may know, oldest first: those of 'today', 'before' today or 'until' today;
   a number asks for the one latest batch that is at least so many days old. #}
{%- macro feedback_files(table, seen) -%}
    {%- set files = [] -%}
    {%- if execute -%}
        {%- set known = {'today': '= ' ~ as_of(), 'before': '< ' ~ as_of(), 'until': '<= ' ~ as_of()} -%}
        {%- set condition = known[seen] if seen in known else
            "= (select max(as_of) from " ~ lake_manifests(table) ~ " where as_of <= " ~ days_after(as_of(), -seen) ~ ")" -%}
        {%- for batch in run_query(
            "select file from " ~ lake_manifests(table) ~ " where as_of " ~ condition ~ " order by as_of"
        ).rows -%}
            {%- do files.append(var('lake') ~ '/' ~ batch[0]) -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(files) -}}
{%- endmacro -%}

{# The rows of those batches: the columns that the calling model declares, in their types, and the day of the batch as
   `batch_on`. A column that an older batch does not have is NULL; without a batch there are no rows. #}
{%- macro feedback_rows(table, seen) -%}
    {#- the lineage: dbt and Dagster see which tables come back -#}
    {%- do source('feedback', table) -%}
    {%- set files = feedback_files(table, seen) -%}
    {%- set relation = read_lake_by_name(files) -%}
    {%- set given = run_query('describe from ' ~ relation).columns[0].values() if files else [] -%}
    {#- the linter renders without a model -#}
    {%- set columns = model.columns.values() if model is defined else [] -%}
    select
        {%- for column in columns if column.name != 'batch_on' %}
        cast({{ column.name if column.name in given else 'null' }} as {{ column.data_type }}) as {{ column.name }},
        {%- endfor %}
        cast({{ '_batch' if files else 'null' }} as date) as batch_on
    {% if files %}from {{ relation }}{% else %}where false{% endif %}
{%- endmacro -%}

{# Files of one table whose columns may differ: a column that one of them lacks is NULL for its rows. #}
{%- macro read_lake_by_name(files) -%}
    read_parquet(['{{ files | join("', '") }}'], union_by_name = true)
{%- endmacro -%}
