"""Metrics of amounts, of days and of ranks, for all resamples of a chunk at once.

Each takes weights, a row per resample and a column per row judged, and gives one value per
resample. Those of probabilities are in `probabilities`; the weights are drawn in `bootstrap`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from models.frame.features import FloatArray


def mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted mean of each resample; NaN where nothing was drawn."""
    with np.errstate(invalid="ignore", divide="ignore"):
        result: FloatArray = (weights @ values) / weights.sum(axis=1)
    return result


def median(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted median of each resample, the lower one of two; NaN where nothing was drawn."""
    if not len(values):
        return np.full(len(weights), np.nan)
    order = np.argsort(values, kind="stable")
    drawn = np.cumsum(weights[:, order], axis=1)
    at = np.argmax(drawn >= drawn[:, -1:] / 2, axis=1)
    return np.where(drawn[:, -1] > 0, values[order][at], np.nan)


@dataclass(frozen=True)
class Ranks:
    """Positions of values in rising order, ties together, for ranks within any resample.

    Attributes:
        order: rows in rising order.
        starts: where each group of equal values begins in it.
        group: of each row.
    """

    order: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    group: npt.NDArray[np.intp]

    @classmethod
    def of(cls, values: FloatArray) -> Ranks:
        """Sort once."""
        order = np.argsort(values, kind="stable")
        is_new = np.diff(values[order], prepend=np.nan) != 0
        group = np.empty(len(values), dtype=np.intp)
        group[order] = np.cumsum(is_new) - 1
        return cls(order, np.flatnonzero(is_new), group)

    def within(self, weights: FloatArray) -> FloatArray:
        """Mean rank of each row among those drawn, but for a constant."""
        drawn = np.add.reduceat(weights[:, self.order], self.starts, axis=1)
        middle = np.cumsum(drawn, axis=1) - drawn / 2
        result: FloatArray = middle[:, self.group]
        return result


def spearman(one: Ranks, other: Ranks, weights: FloatArray) -> FloatArray:
    """Spearman's rank correlation of each resample, ties at their mean rank; NaN if constant."""
    total = weights.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        x, y = (
            ranks - (weights * ranks).sum(axis=1, keepdims=True) / total
            for ranks in (one.within(weights), other.within(weights))
        )
        weighted = weights * x
        result: FloatArray = np.einsum("ij,ij->i", weighted, y) / np.sqrt(
            np.einsum("ij,ij->i", weighted, x) * np.einsum("ij,ij,ij->i", weights, y, y)
        )
    return result


@dataclass(frozen=True)
class AmountMetrics:
    """How good stated amounts are.

    - ``mae``, ``rmse``: mean absolute error, root of the mean squared one;
    - ``poisson_deviance``: ``2 mean(y ln(y / m) - (y - m))``, y what came, a loss as 0. It is
      smallest where m is the mean of y (Gneiting, 2011, "Making and Evaluating Point Forecasts"),
      as the squared error is, and a few large customers are less of it; the absolute error is
      smallest at a median;
    - ``spearman``: rank correlation;
    - ``total_ratio``: total of what was stated over that of what came.

    Attributes:
        came: one amount per row.
        stated: one amount per row, above 0.
        further: metric to further amounts, of which the mean absolute error is told.
        ranks: of both.
    """

    came: FloatArray
    stated: FloatArray
    further: Mapping[str, FloatArray]
    ranks: tuple[Ranks, Ranks]

    @classmethod
    def of(cls, came: FloatArray, stated: FloatArray, **further: FloatArray) -> AmountMetrics:
        """Sort once."""
        return cls(came, stated, further, (Ranks.of(came), Ranks.of(stated)))

    def __call__(self, weights: FloatArray) -> dict[str, FloatArray]:
        """The metrics of each resample."""
        error = self.stated - self.came
        earned = np.maximum(self.came, 0.0)
        deviance = 2 * (special.xlogy(earned, earned / self.stated) - (earned - self.stated))
        with np.errstate(invalid="ignore", divide="ignore"):
            total = (weights @ self.stated) / (weights @ self.came)
        return {
            "mae": mean(np.abs(error), weights),
            **{
                name: mean(np.abs(amounts - self.came), weights)
                for name, amounts in self.further.items()
            },
            "poisson_deviance": mean(deviance, weights),
            "spearman": spearman(*self.ranks, weights),
            "rmse": np.sqrt(mean(error**2, weights)),
            "total_ratio": np.where(weights @ self.came > 0, total, np.nan),
        }
