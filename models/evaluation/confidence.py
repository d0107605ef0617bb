"""How sure an interval is: its confidence, and as many standard errors to either side."""

from __future__ import annotations

from typing import Final

from scipy import special

CONFIDENCE: Final = 0.95
# Two-sided quantile of the normal distribution: an interval is an estimate -+ Z standard errors.
Z: Final = float(special.ndtri((1 + CONFIDENCE) / 2))
