{# The median of an integer column over the rows so far, per partition. A macro, because Spark refuses a frame
   on median() and takes it on percentile(). #}
{%- macro running_median(value, partition_by, order_by) -%}
    median({{ value }}) over (
        partition by {{ partition_by | join(', ') }} order by {{ order_by }}
        rows between unbounded preceding and current row
    )
{%- endmacro -%}
