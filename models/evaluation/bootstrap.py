"""The bootstrap: how often each resample draws each customer, and the interval that follows.

A resample draws each customer a Poisson number of times with mean 1 (Hanley and MacGibbon, 2006,
"Creating non-parametric bootstrap samples using Poisson frequencies"); intervals are of percentiles
(Efron and Tibshirani, 1993, "An Introduction to the Bootstrap", chapter 13). Customers are drawn
whole, with all their rows; what is judged on the same draws can be compared draw by draw.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.evaluation.confidence import CONFIDENCE
from models.frame.features import FloatArray

# Resamples: enough for a 2.5% quantile, fewer where the snapshot is so large that any
# difference worth having is many standard errors wide.
MAX_RESAMPLES = 1_000
MIN_RESAMPLES = 200
RESAMPLED_ROWS = 2_000_000
CHUNK_CELLS = 200_000


def resamples(rows: int, *, seed: int) -> Iterator[FloatArray]:
    """Weights of rows that are a customer each, in chunks: a row per resample, a column per row."""
    return _drawn(rows, rows, seed)


def joint_resamples(
    customers: Sequence[npt.NDArray[Any]], *, seed: int
) -> Iterator[list[FloatArray]]:
    """The same for several samples that may share customers: each is drawn alike in all of them.

    Args:
        customers: who each row is, sample by sample.
        seed: of the draws.
    """
    rows = sum(map(len, customers))
    if rows == 0:
        yield [np.zeros((1, 0)) for _ in customers]
        return
    distinct, member = np.unique(np.concatenate(customers), return_inverse=True)
    members = np.split(member, np.cumsum([len(each) for each in customers])[:-1])
    for weights in _drawn(len(distinct), rows, seed):
        yield [weights[:, member] for member in members]


def interval_of(values: FloatArray, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The interval of resampled figures, by default of 95%; NaN where none is defined."""
    defined = values[np.isfinite(values)]
    if not len(defined):
        return np.nan, np.nan
    tail = (1 - confidence) / 2
    lower, upper = np.quantile(defined, [tail, 1 - tail])
    return float(lower), float(upper)


def _drawn(customers: int, rows: int, seed: int) -> Iterator[FloatArray]:
    """How often each resample draws each customer; their number and chunks depend on the rows."""
    left = int(np.clip(RESAMPLED_ROWS // max(rows, 1), MIN_RESAMPLES, MAX_RESAMPLES))
    rng = np.random.default_rng(seed)
    while left:
        chunk = min(left, max(1, CHUNK_CELLS // max(rows, 1)))
        left -= chunk
        yield rng.poisson(1.0, (chunk, customers)).astype(np.float64)
