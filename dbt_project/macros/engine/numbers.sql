{# Numbers. A sum of doubles depends on the order of the rows, hence on the number of threads: sums
   run over decimals, so that the same rows give the same bytes. #}

{%- macro exact_sum(value) -%}
    sum(cast({{ value }} as decimal(38, 9)))
{%- endmacro -%}

{# NULL where there is no value; a double, divided once from two exact figures. #}
{%- macro exact_avg(value) -%}
    (cast({{ exact_sum(value) }} as double) / nullif(count({{ value }}), 0))
{%- endmacro -%}

{# NULL where the value does not fit the type. dbt's own safe_cast is a plain cast on both engines. #}
{%- macro safe_cast(value, type) -%}
    try_cast({{ value }} as {{ type }})
{%- endmacro -%}
