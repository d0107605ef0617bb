{#- compared as doubles: the decimal product would overflow before it could be found too large -#}
{{ checked_rows('order_lines', extra_rules=[{
    'rule': 'amount_implausible',
    'breaks': 'abs(cast(quantity as double) * unit_price) > ' ~ var('largest_plausible_amount')
        ~ ' or abs(cast(quantity as double) * unit_cost) > ' ~ var('largest_plausible_amount'),
    'reason': 'quantity x unit_price or unit_cost: expected at most ' ~ var('largest_plausible_amount') ~ ', found more',
}]) }}
