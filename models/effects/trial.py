"""Trials that drew their arms by lot, and the cross-fitted means that every estimate starts from.

Of each row is known how likely it was to be treated, e. With m the mean of its outcome given its
features, both arms together, learnt from the other folds, the doubly robust score of an effect is
unbiased whatever m and the effect assumed are (Robins, Rotnitzky and Zhao, Journal of the American
Statistical Association 89, 1994): the better they are, the less it varies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.effects.basis import Basis
from models.evaluation.confidence import Z
from models.frame.features import FloatArray, IntArray

FOLDS: Final = 5
RIDGE: Final = 5.0  # of the outcome's mean, in rows; only steadies cells that are hardly filled
LEAST_VARIANCE: Final = 0.02  # of an outcome given the features; below it one surprise would rule


@dataclass(frozen=True)
class Trial:
    """Rows that chance drew into two arms.

    Attributes:
        features: one row each, known before the draw; numbers or text, missing values allowed.
        treated: 1 or 0.
        propensity: probability to be treated, within (0, 1).
        outcome: what is to be raised.
        treatment: what the treated got, text; None where there is but one treatment.
        assumed: effect on each row that was assumed beforehand, in units of the outcome.
        customer: rows of one customer stay in one fold and are no independent evidence.
    """

    features: pd.DataFrame
    treated: FloatArray
    propensity: FloatArray
    outcome: FloatArray
    treatment: npt.NDArray[np.object_]
    assumed: FloatArray
    customer: npt.NDArray[np.object_]

    @classmethod
    def of(
        cls,
        features: pd.DataFrame,
        treated: npt.ArrayLike,
        propensity: npt.ArrayLike,
        outcome: npt.ArrayLike,
        *,
        treatment: npt.ArrayLike | None = None,
        assumed: npt.ArrayLike | None = None,
        customer: npt.ArrayLike | None = None,
    ) -> Trial:
        """Build one; a single treatment, no assumption, one row per customer unless given.

        Raises:
            ValueError: a propensity is not a probability between 0 and 1.
        """
        n = len(features)
        share = np.broadcast_to(np.asarray(propensity, np.float64), n)
        if not ((share > 0) & (share < 1)).all():
            raise ValueError("expected probabilities to be treated between 0 and 1, both excluded")
        return cls(
            features.reset_index(drop=True),
            np.asarray(treated, np.float64),
            share,
            np.asarray(outcome, np.float64),
            np.asarray(["all"] * n if treatment is None else treatment, dtype=object),
            np.zeros(n) if assumed is None else np.asarray(assumed, np.float64),
            np.asarray(np.arange(n) if customer is None else customer, dtype=object),
        )

    def __len__(self) -> int:
        return len(self.outcome)

    def folds(self) -> IntArray:
        """Fold of each row, by a hash of the customer: the same in every run."""
        numbers = {
            each: int.from_bytes(hashlib.md5(str(each).encode()).digest()[:4], "big") % FOLDS
            for each in set(self.customer)
        }
        return np.array([numbers[each] for each in self.customer], dtype=np.int64)


@dataclass(frozen=True)
class Mean:
    """The mean of an outcome given the features: a ridge regression on bins and logarithms."""

    basis: Basis
    numbers: tuple[str, ...]
    weights: FloatArray

    def of(self, features: pd.DataFrame) -> FloatArray:
        """The mean of each row."""
        wide: FloatArray = _mean_columns(self.basis, self.numbers, features)
        return wide @ self.weights


def _mean_columns(basis: Basis, numbers: Sequence[str], features: pd.DataFrame) -> FloatArray:
    values = np.nan_to_num(features[list(numbers)].to_numpy(np.float64, na_value=np.nan))
    # A number tells more of an outcome than its bin; logarithms tame the few large ones.
    tamed = np.sign(values) * np.log1p(np.abs(values))
    return np.column_stack([np.ones(len(features)), basis.columns(features), tamed])


def _ridge(wide: FloatArray, outcome: FloatArray, folds: IntArray) -> tuple[FloatArray, FloatArray]:
    """Weights learnt from all rows, and the prediction of each row from the other folds."""
    penalty = np.diag(np.r_[1e-9, np.full(wide.shape[1] - 1, RIDGE)])
    gram, moment = wide.T @ wide + penalty, wide.T @ outcome
    predicted = np.zeros(len(outcome))
    for fold in range(FOLDS):
        out = folds == fold
        own = wide[out]
        others = np.linalg.solve(gram - own.T @ own, moment - own.T @ outcome[out])
        predicted[out] = own @ others
    return np.linalg.solve(gram, moment), predicted


@dataclass(frozen=True)
class Prepared:
    """A trial with its means: what every estimate of an effect starts from.

    Attributes:
        trial: the rows.
        basis: its features as columns.
        columns: those columns.
        folds: fold of each row.
        mean: cross-fitted mean of the outcome, both arms together; its use takes the part of
            the noise that earlier behaviour explains out of every estimate.
        variance: of the outcome around it.
        mean_model: the mean for rows of another frame.
    """

    trial: Trial
    basis: Basis
    columns: FloatArray
    folds: IntArray
    mean: FloatArray
    variance: FloatArray
    mean_model: Mean

    @classmethod
    def of(cls, trial: Trial) -> Prepared:
        """Estimate the means."""
        basis = Basis.of(trial.features)
        columns, folds = basis.columns(trial.features), trial.folds()
        numbers = tuple(map(str, basis.edges))
        wide = _mean_columns(basis, numbers, trial.features)
        weights, mean = _ridge(wide, trial.outcome, folds)
        squares = (trial.outcome - mean) ** 2
        shape = np.column_stack([np.ones(len(mean)), mean, mean**2])
        variance = _ridge(shape, squares, folds)[1]
        least = LEAST_VARIANCE * max(float(squares.mean()), 1e-12)
        return cls(
            trial,
            basis,
            columns,
            folds,
            mean,
            np.maximum(variance, least),
            Mean(basis, numbers, weights),
        )

    def assuming(self, assumed: FloatArray) -> Prepared:
        """The same with the effect that was assumed of each row, which the means need not know."""
        return replace(self, trial=replace(self.trial, assumed=assumed))

    @property
    def residual(self) -> FloatArray:
        """Outcome less its mean."""
        return self.trial.outcome - self.mean

    @property
    def contrast(self) -> FloatArray:
        """Treated or not, less the probability of it."""
        return self.trial.treated - self.trial.propensity

    def scores(self, effect: FloatArray) -> FloatArray:
        """Doubly robust score of the effect on each row: its mean over rows is that of the effect.

        Unbiased whatever `effect` and the means are, since the propensities are known; the better
        they are, the less it varies (Robins, Rotnitzky and Zhao, 1994).
        """
        share = self.trial.propensity
        surprise = self.residual - self.contrast * effect
        return effect + self.contrast / (share * (1 - share)) * surprise


def mean_with_interval(
    values: FloatArray, customer: npt.NDArray[np.object_], quantile: float = Z
) -> tuple[float, float, float]:
    """Mean of the values and its interval, rows of one customer taken together.

    Args:
        values: one per row.
        customer: of each row.
        quantile: of the normal distribution, half the interval's width in standard errors.
    """
    n = len(values)
    if n == 0:
        return float("nan"), float("nan"), float("nan")
    mean = float(values.mean())
    sums = np.bincount(pd.factorize(customer)[0], weights=values - mean)
    deviation = float(np.sqrt((sums**2).sum())) / n
    return mean, mean - quantile * deviation, mean + quantile * deviation
