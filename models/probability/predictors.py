"""What every predictor of churn offers, be it trees, a baseline or a rule.

A predictor gives log odds before calibration, and the share each feature has in them, so that
calibration, evaluation, drivers and the store need not know which one they hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy import special

from models.frame.features import FeatureMatrix, FloatArray


@dataclass(frozen=True)
class Contributions:
    """What each named feature adds to a customer's log odds of churn, against the average.

    Attributes:
        values: customers x features.
    """

    names: tuple[str, ...]
    values: FloatArray


def importance(contributions: Contributions) -> dict[str, float]:
    """Share of the differences between customers that each feature makes up, largest first.

    A feature makes up the standard deviation of what it adds; one that adds alike to all is left
    out.
    """
    spread = contributions.values.std(axis=0, dtype=np.float64)
    total = float(spread.sum()) or 1.0
    shares = {
        name: round(float(each) / total, 6)
        for name, each in zip(contributions.names, spread, strict=True)
    }
    ranked = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    return {name: share for name, share in ranked if share > 0}


class Predictor(Protocol):
    """A fitted predictor of churn."""

    def margin(self, matrix: FeatureMatrix) -> FloatArray:
        """Log odds of churn of each row, not yet calibrated."""

    def explained(self, matrix: FeatureMatrix) -> tuple[FloatArray, Contributions]:
        """The same log odds, and what each feature adds to them."""

    def to_json(self) -> dict[str, Any]:
        """All that is needed to build the predictor again."""


def log_odds(probability: FloatArray) -> FloatArray:
    """Log odds, kept finite at 0 and 1."""
    odds: FloatArray = special.logit(np.clip(probability, 1e-9, 1 - 1e-9))
    return odds


def stack(names: Sequence[str], columns: Sequence[FloatArray]) -> Contributions:
    """Contributions from one array per feature."""
    return Contributions(tuple(names), np.column_stack(columns).astype(np.float32))


def probability_of(margin: FloatArray) -> FloatArray:
    """The probability of log odds."""
    probability: FloatArray = special.expit(margin)
    return probability
