{# A line that takes back: by its quantity, or because its order's number says that it cancels another one. #}
{%- macro is_return_line() -%}
    (quantity < 0
        {%- if var('cancelled_order_pattern') %} or {{ matches('order_id', var('cancelled_order_pattern')) }} {%- endif -%}
    ) and {{ took_place() }}
{%- endmacro -%}

{# What was cancelled or is pending took nothing back: it stays an order of that status. #}
{%- macro took_place() -%}
    status in ('completed', 'returned')
{%- endmacro -%}
