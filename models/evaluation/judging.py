"""How good candidates are on the same customers, and how sure that is.

All are judged on the same rows and on the same resamples of them, so that a difference is tested
pair by pair. The metrics are those of `probabilities` and of `amounts`, or a caller's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.evaluation.bootstrap import interval_of, joint_resamples, resamples
from models.evaluation.confidence import CONFIDENCE
from models.evaluation.probabilities import (
    LEVEL_ERROR,
    METRICS,
    ProbabilityMetrics,
    all_metrics,
)
from models.frame.features import BoolArray, FloatArray

# The role of what a training learnt, before it is judged.
CHALLENGER: Final = "challenger"
# By this the gate decides. The served figures are probabilities, multiplied by money downstream: a
# metric of ranking alone would promote a model whose probabilities are wrong. Their level though is
# one forecast for all candidates alike, and in one window a matter of luck.
PRIMARY: Final = "levelled_log_loss"

# Of these a smaller value is the better one.
LOSSES: Final = frozenset(
    {
        "log_loss",
        PRIMARY,
        "brier",
        "ece",
        LEVEL_ERROR,
        "mae",
        "rmse",
        "poisson_deviance",
        "mae_days",
        "median_error_days",
    }
)

# A row of model_evaluations, less the kind of model.
EVALUATION_COLUMNS: Final = (
    "model_version",
    "role",
    "cutoff_on",
    "horizon_days",
    "metric",
    "value",
    "lower",
    "upper",
    "speaks_for_version",
)

# The metrics of one candidate: from weights, a row per resample and a column per row judged, to
# one value per resample.
Metrics: TypeAlias = Callable[[FloatArray], Mapping[str, FloatArray]]


@dataclass(frozen=True)
class Difference:
    """How much better (positive) or worse one candidate is than another, with its interval."""

    value: float
    lower: float
    upper: float
    confidence: float = CONFIDENCE

    def in_words(self, digits: str = ".4f") -> str:
        """As people read it: better by 0.0100 (95% from 0.0020 to 0.0180).

        The bounds of what is worse are turned with it.

        Args:
            digits: format of the figures.
        """
        word, low, high = "better", self.lower, self.upper
        if self.value < 0:
            word, low, high = "worse", -self.upper, -self.lower
        sure = f"{100 * self.confidence:.3g}%"
        return (
            f"{word} by {abs(self.value):{digits}} ({sure} from {low:{digits}} to {high:{digits}})"
        )


@dataclass(frozen=True)
class Figures:
    """Figures of every candidate on the same rows, as they are and in resamples of the rows.

    Attributes:
        figures: role -> metric -> value.
        resampled: role -> metric -> one value per resample, the same draws for all of them.
    """

    figures: Mapping[str, Mapping[str, float]]
    resampled: Mapping[str, Mapping[str, FloatArray]]

    def interval(self, role: str, metric: str) -> tuple[float, float]:
        """Bootstrap interval of one figure; NaN where the metric is not resampled."""
        if metric not in self.resampled[role]:
            return np.nan, np.nan
        return interval_of(self.resampled[role][metric])

    def for_card(self) -> dict[str, dict[str, list[float | None]]]:
        """Value, lower and upper bound by role and metric; None where undefined."""
        return {
            role: {
                metric: [
                    float(figure) if np.isfinite(figure) else None
                    for figure in (value, *self.interval(role, metric))
                ]
                for metric, value in figures.items()
            }
            for role, figures in self.figures.items()
        }

    def best(self, roles: Sequence[str], metric: str = PRIMARY) -> str:
        """The role with the best value of a metric; the first of equals."""
        sign = 1 if metric in LOSSES else -1
        return min(roles, key=lambda role: sign * self.figures[role][metric])

    def gain(
        self, role: str, over: str, metric: str = PRIMARY, confidence: float = CONFIDENCE
    ) -> Difference:
        """By how much `role` is better than `over`, resampled pair by pair.

        Without an interval, both bounds NaN, where the metric is not resampled.
        """
        sign = -1.0 if metric in LOSSES else 1.0
        value = sign * (self.figures[role][metric] - self.figures[over][metric])
        if metric not in self.resampled[role]:
            return Difference(value, np.nan, np.nan)
        paired = sign * (self.resampled[role][metric] - self.resampled[over][metric])
        return Difference(value, *interval_of(paired, confidence), confidence)


def judge(
    candidates: Mapping[str, Metrics],
    rows: int,
    *,
    seed: int,
    counts: Mapping[str, Mapping[str, float]] | None = None,
) -> Figures:
    """Judge candidates on the same rows, each row another customer.

    Args:
        candidates: role to its metrics.
        rows: how many rows there are.
        seed: of the bootstrap.
        counts: role to further figures, which are not resampled.
    """
    everybody = np.ones((1, rows))
    [resampled] = _resampled([candidates], ([weights] for weights in resamples(rows, seed=seed)))
    return Figures(
        {
            role: {name: float(values[0]) for name, values in metrics(everybody).items()}
            | dict((counts or {}).get(role, {}))
            for role, metrics in candidates.items()
        },
        resampled,
    )


@dataclass(frozen=True)
class Sample:
    """The rows of one snapshot that candidates are judged on.

    Attributes:
        happened: whether what the probabilities are of did, one per row.
        probabilities: role to probability of it, one per row.
        customers: who each row is; needed where one customer has several rows, or samples share
            customers.
    """

    happened: BoolArray
    probabilities: Mapping[str, FloatArray]
    customers: npt.NDArray[Any] | None = None


@dataclass(frozen=True)
class Evaluation(Figures):
    """Figures of probabilities on one snapshot, and what they were made of."""

    probabilities: Mapping[str, FloatArray]
    happened: BoolArray

    def table(self) -> pd.DataFrame:
        """One row per role and metric: role, metric, value, lower, upper."""
        rows = [
            (role, metric, self.figures[role][metric], *self.interval(role, metric))
            for role in self.figures
            for metric in METRICS
        ]
        return pd.DataFrame(rows, columns=["role", "metric", "value", "lower", "upper"])


def evaluate(
    happened: BoolArray,
    probabilities: Mapping[str, FloatArray],
    *,
    seed: int,
    customers: npt.NDArray[Any] | None = None,
) -> Evaluation:
    """Judge probabilities on the same rows.

    Args:
        happened: whether it did, one per row.
        probabilities: role to probability of it, one per row.
        seed: of the bootstrap.
        customers: who each row is, where customers have several rows; they are drawn whole.
    """
    [evaluation] = evaluate_jointly([Sample(happened, probabilities, customers)], seed=seed)
    return evaluation


def evaluate_jointly(samples: Sequence[Sample], *, seed: int) -> list[Evaluation]:
    """Judge probabilities on several snapshots, customers drawn whole across them.

    The n-th resample is the same draw of customers in each of the evaluations, so that their
    resampled figures may be averaged, draw by draw.

    Args:
        samples: one per snapshot; with more than one, each says who its customers are.
        seed: of the bootstrap.

    Raises:
        ValueError: several samples, and one does not say who its customers are.
    """
    customers = [
        np.arange(len(sample.happened)) if sample.customers is None else sample.customers
        for sample in samples
    ]
    if len(samples) > 1 and any(sample.customers is None for sample in samples):
        raise ValueError("expected to be told who the customers of every sample are")
    candidates = [
        {role: ProbabilityMetrics(sample.happened, p) for role, p in sample.probabilities.items()}
        for sample in samples
    ]
    resampled = _resampled(candidates, joint_resamples(customers, seed=seed))
    return [
        Evaluation(
            figures={
                role: all_metrics(metrics, sample.happened, sample.probabilities[role])
                for role, metrics in of_sample.items()
            },
            resampled=drawn,
            probabilities=dict(sample.probabilities),
            happened=sample.happened,
        )
        for sample, of_sample, drawn in zip(samples, candidates, resampled, strict=True)
    ]


def mean_of(evaluations: Sequence[Evaluation]) -> Figures:
    """Mean figures of the candidates that were judged in each of some evaluations.

    Args:
        evaluations: of `evaluate_jointly`, so that the means of their draws are draws of the mean.
    """
    first = evaluations[0]
    roles = [role for role in first.figures if all(role in each.figures for each in evaluations)]
    return Figures(
        {
            role: {
                metric: float(np.mean([each.figures[role][metric] for each in evaluations]))
                for metric in first.figures[role]
            }
            for role in roles
        },
        {
            role: {
                metric: np.mean([each.resampled[role][metric] for each in evaluations], axis=0)
                for metric in first.resampled[role]
            }
            for role in roles
        },
    )


def _resampled(
    candidates: Sequence[Mapping[str, Metrics]], weights: Iterable[Sequence[FloatArray]]
) -> list[dict[str, dict[str, FloatArray]]]:
    """By sample, role and metric, one value per resample.

    Args:
        candidates: role to its metrics, sample by sample.
        weights: of each sample, chunk of resamples by chunk.
    """
    parts: list[dict[str, dict[str, list[FloatArray]]]] = [
        {role: {} for role in of_sample} for of_sample in candidates
    ]
    for chunk in weights:
        for of_sample, drawn, kept in zip(candidates, chunk, parts, strict=True):
            for role, metrics in of_sample.items():
                for metric, values in metrics(drawn).items():
                    kept[role].setdefault(metric, []).append(values)
    return [
        {
            role: {metric: np.concatenate(values) for metric, values in metrics.items()}
            for role, metrics in kept.items()
        }
        for kept in parts
    ]
