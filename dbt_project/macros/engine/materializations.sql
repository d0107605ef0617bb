{# How a table gets into the warehouse. #}

{# In one transaction, which readers see as a whole. dbt-duckdb would build it aside, rename the old one out of the way
   and the new one into its place, and drop what is left: seven statements, as long in dbt as the table itself. #}
{% materialization table, adapter='duckdb' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set table = this.incorporate(type='table') -%}
    {%- if existing and existing.is_view %}{% do adapter.drop_relation(existing) %}{% endif -%}

    {%- call statement('main') -%}
    {%- if config.get('contract').enforced %}
        {{ get_assert_columns_equivalent(compiled_code) }}
        create or replace table {{ table }} {{ get_table_columns_and_constraints() }};
        insert into {{ table }} {{ get_column_names() }} (
            {{ get_select_subquery(compiled_code) }}
        )
    {%- else %}
        create or replace table {{ table }} as (
            {{ compiled_code }}
        )
    {%- endif -%}
    {%- endcall -%}
    {%- do adapter.commit() -%}

    {{ return({'relations': [table]}) }}
{% endmaterialization %}
