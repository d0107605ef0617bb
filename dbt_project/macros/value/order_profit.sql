{# What one order of a customer earns: his own average, drawn to what customers' first orders earned as if
   value_shrinkage_orders of these came on top, or one lucky order would make a customer worth any treatment. First orders,
   since every customer has one: over all orders, the few who order most would say what those of the many are worth. #}
{%- macro expected_order_profit(profit, orders, first_order_profit) -%}
    (
        (cast({{ profit }} as double) + {{ var('value_shrinkage_orders') }} * {{ first_order_profit }})
        / ({{ orders }} + {{ var('value_shrinkage_orders') }})
    )
{%- endmacro -%}
