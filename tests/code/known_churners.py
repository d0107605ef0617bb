"""Customers of whom it is known how likely they were to churn, and candidates that state it."""

from __future__ import annotations

import numpy as np
from scipy import special


def customers(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Log odds of each, and who churned."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(0, 1.2, n)
    return margin, rng.random(n) < special.expit(margin)


def blurred(margin: np.ndarray, noise: float, seed: int) -> np.ndarray:
    """Probabilities of a candidate that knows the log odds but for so much noise."""
    rng = np.random.default_rng(seed)
    return np.clip(special.expit(margin + rng.normal(0, noise, len(margin))), 1e-4, 1 - 1e-4)
