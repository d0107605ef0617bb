{# What one order of a customer earns: his own average, drawn to that of first orders as if value_shrinkage_orders of these
   came on top, or one lucky order would make a customer worth any treatment. First orders, since every customer has one:
   over all orders, the few who order most would say what those of the many are worth. #}
{%- macro expected_order_profit(profit, orders, first_order_profit) -%}
    (
        (cast({{ profit }} as double) + {{ var('value_shrinkage_orders') }} * {{ first_order_profit }})
        / ({{ orders }} + {{ var('value_shrinkage_orders') }})
    )
{%- endmacro -%}

{# What first orders earned on average, as known on each snapshot_on of a relation of (snapshot_on, profit_amount). The
   largest hundredth counts as its smallest: one large customer is no reason to think more of all others. #}
{%- macro average_first_order(first_orders) -%}
    select
        snapshot_on,
        {{ exact_avg('least(' ~ first_orders ~ '.profit_amount, largest.profit_amount)') }} as profit_amount
    from {{ first_orders }}
    inner join (
        select
            snapshot_on,
            percentile_cont(0.99) within group (order by profit_amount) as profit_amount
        from {{ first_orders }}
        group by snapshot_on
    ) as largest using (snapshot_on)
    group by snapshot_on
{%- endmacro -%}
