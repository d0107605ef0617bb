"""Metrics of probabilities, for all resamples of a chunk at once.

With p the probability of what happened to some customers and not to others:

- ``auc``: chance that one whom it happened to has a higher p than another, ties half;
- ``average_precision``: precision averaged over recall steps, ties together;
- ``log_loss`` (nats) and ``brier``: mean penalties, smaller is better;
- ``levelled_log_loss``: the same after one intercept per candidate has made its mean probability
  that of the judged customers (recalibration in the large; Steyerberg, 2009, "Clinical Prediction
  Models", chapter 15): how well it tells customers apart, and by how much, whatever the season;
- ``lift_at_10``: rate among the 10% with the highest p over the overall rate;
- ``ece``: mean distance of p and the rate over ten bins of equal mass;
- ``level_error``: distance of the mean p and the rate;
- ``n`` and ``positives``: customers, and those whom it happened to.

Metrics that are not defined (no customers, or one class only) are NaN, never 0. Those of amounts
are in `amounts`; the weights of resamples are drawn in `bootstrap`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from models.frame.features import BoolArray, FloatArray
from models.probability.calibration import fit_level
from models.probability.predictors import log_odds

LEVEL_ERROR: Final = "level_error"
RESAMPLED: Final = (
    "auc",
    "average_precision",
    "log_loss",
    "levelled_log_loss",
    "brier",
    "lift_at_10",
)
METRICS: Final = (*RESAMPLED, "ece", LEVEL_ERROR, "n", "positives")
LIFT_SHARE = 0.1
ECE_BINS = 10


class ProbabilityMetrics:
    """One candidate's customers in falling order of p, so that a resample is a few sums.

    Args:
        happened: whether it did, one per row.
        probability: of it, one per row, neither 0 nor 1.
    """

    def __init__(self, happened: BoolArray, probability: FloatArray) -> None:
        self.order = np.argsort(-probability, kind="stable")
        falling = probability[self.order]
        outcome = happened.astype(np.float64)
        self.happened = outcome[self.order]
        at_own_level = log_odds(probability)
        at_own_level += fit_level(at_own_level, happened)
        # Customers with the same p form one group: their order among themselves means nothing.
        self.starts = np.flatnonzero(np.diff(falling, prepend=np.nan) != 0)
        self.log_loss = log_losses(happened, probability)
        self.levelled_log_loss = np.logaddexp(0, np.where(happened, -at_own_level, at_own_level))
        self.brier = (probability - outcome) ** 2

    def __call__(self, weights: FloatArray) -> dict[str, FloatArray]:
        """The metrics of `RESAMPLED`; one value per row of weights."""
        positives_of, negatives_of = self.totals(weights)
        found, passed = np.cumsum(positives_of, axis=1), np.cumsum(negatives_of, axis=1)
        positives, negatives = positives_of.sum(axis=1), negatives_of.sum(axis=1)
        rows = weights.sum(axis=1)
        captured = self.captured(positives_of, negatives_of, np.array([LIFT_SHARE]))
        with np.errstate(invalid="ignore", divide="ignore"):
            below = negatives[:, None] - passed + negatives_of / 2
            seen = found + passed
            precision = np.where(seen > 0, found / seen, 0.0)
            return {
                "auc": (positives_of * below).sum(axis=1) / (positives * negatives),
                "average_precision": (positives_of * precision).sum(axis=1) / positives,
                "log_loss": weights @ self.log_loss / rows,
                "levelled_log_loss": weights @ self.levelled_log_loss / rows,
                "brier": weights @ self.brier / rows,
                "lift_at_10": captured[:, 0] / LIFT_SHARE,
            }

    def totals(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Positives and negatives in each group of equal p; one row per resample."""
        if not len(self.order):
            empty = np.zeros((len(weights), 0))
            return empty, empty
        ordered = weights[:, self.order]
        positives = np.add.reduceat(ordered * self.happened, self.starts, axis=1)
        return positives, np.add.reduceat(ordered, self.starts, axis=1) - positives

    def captured(
        self, positives: FloatArray, negatives: FloatArray, share: FloatArray
    ) -> FloatArray:
        """Share of all positives among the first `share` of customers; ties are shared out."""
        rows = np.cumsum(positives + negatives, axis=1)
        found = np.cumsum(positives, axis=1)
        result = np.full((len(rows), len(share)), np.nan)
        for at, (row, hit) in enumerate(zip(rows, found, strict=True)):
            if len(hit) and hit[-1] > 0:
                reached = np.interp(share * row[-1], np.r_[0.0, row], np.r_[0.0, hit])
                result[at] = reached / hit[-1]
        return result


def all_metrics(
    metrics: ProbabilityMetrics, happened: BoolArray, probability: FloatArray
) -> dict[str, float]:
    """Every metric of `METRICS` on the rows as they are.

    Args:
        metrics: of the same rows.
        happened: whether it did, one per row.
        probability: of it, one per row.
    """
    rows = len(happened)
    return {name: float(value[0]) for name, value in metrics(np.ones((1, rows))).items()} | {
        "ece": expected_calibration_error(happened, probability),
        LEVEL_ERROR: abs(float((probability - happened).mean())) if rows else float("nan"),
        "n": float(rows),
        "positives": float(happened.sum()),
    }


def log_losses(happened: BoolArray, probability: FloatArray) -> FloatArray:
    """The penalty of each row (nats), whose mean is the metric `log_loss`."""
    return -np.where(happened, np.log(probability), np.log1p(-probability))


def area_under_curve(happened: BoolArray, probability: FloatArray) -> float:
    """The metric `auc` of the rows as they are."""
    return float(ProbabilityMetrics(happened, probability)(np.ones((1, len(happened))))["auc"][0])


def expected_calibration_error(happened: BoolArray, probability: FloatArray) -> float:
    """Distance of probability and rate, weighted over bins of equal mass; ties together."""
    if len(happened) == 0:
        return float("nan")
    bins = equal_mass(probability, ECE_BINS)
    gap = np.bincount(bins, probability) - np.bincount(bins, happened.astype(float))
    return float(np.abs(gap).sum() / len(happened))


def equal_mass(probability: FloatArray, bins: int) -> npt.NDArray[np.intp]:
    """The bin of each probability, bins of equal mass but for ties, which stay together."""
    if not len(probability):
        return np.zeros(0, dtype=np.intp)
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, probability, side="left")
