{# What Homing itself wrote into the lake: scores, evaluations, published lists. #}

{# The data files of the batches that a run may know, oldest first: those of 'today', 'before' today or 'until' today. #}
{%- macro feedback_files(table, seen) -%}
    {%- set files = [] -%}
    {%- if execute -%}
        {%- set comparison = {'today': '=', 'before': '<', 'until': '<='}[seen] -%}
        {%- for batch in run_query(
            "select file from " ~ lake_manifests(table) ~ " where as_of " ~ comparison ~ " " ~ as_of() ~ " order by as_of"
        ).rows -%}
            {%- do files.append(var('lake') ~ '/' ~ batch[0]) -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(files) -}}
{%- endmacro -%}

{# A relation of the rows of those batches: the columns that feedback.yml declares, in their types, and the day of
   the batch as `batch_on`. A column that an older batch does not have is NULL; without a batch there are no rows. #}
{%- macro feedback_rows(table, seen) -%}
    {%- set columns = feedback_columns(table) -%}
    {%- set files = feedback_files(table, seen) -%}
    {%- set relation = read_lake(files) | trim | replace('])', '], union_by_name = true)') -%}
    {%- set given = [] -%}
    {%- if files -%}
        {%- do given.extend(run_query('describe from ' ~ relation).columns[0].values()) -%}
    {%- endif %}
    select
        {%- for name, type in columns.items() %}
        cast({{ name if name in given else 'null' }} as {{ type }}) as {{ name }},
        {%- endfor %}
        cast({{ '_batch' if files else 'null' }} as date) as batch_on
    {% if files %}from {{ relation }}{% else %}where false{% endif %}
{%- endmacro -%}

{# The declared columns of a table that Homing feeds back, with their types. #}
{%- macro feedback_columns(table) -%}
    {%- set columns = {} -%}
    {#- the lineage: dbt and Dagster see which tables come back -#}
    {%- set declared = source('feedback', table) -%}
    {%- if execute -%}
        {%- for source in graph.sources.values() if source.source_name == 'feedback' and source.name == table -%}
            {%- for column in source.columns.values() -%}
                {%- do columns.update({column.name: column.data_type}) -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(columns) -}}
{%- endmacro -%}
