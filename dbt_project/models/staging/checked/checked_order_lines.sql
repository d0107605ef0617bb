{{ checked_rows('order_lines', extra_rules=[{
    'rule': 'amount_implausible',
    'breaks': 'abs(quantity * unit_price) > ' ~ var('largest_plausible_amount')
        ~ ' or abs(quantity * unit_cost) > ' ~ var('largest_plausible_amount'),
    'reason': 'quantity x unit_price or unit_cost: expected at most ' ~ var('largest_plausible_amount') ~ ', found more',
}]) }}
