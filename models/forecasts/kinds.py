"""Which forecasts there are, by name: told without importing what learns them."""

from typing import Final

RETURN: Final = "return"
NEXT_ORDER: Final = "next_order"
PROFIT: Final = "profit"
KINDS: Final = (RETURN, NEXT_ORDER, PROFIT)
