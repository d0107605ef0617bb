"""For which customers a model holds, and for which it does not.

The whole population hides its parts: a segment can be worse off than with a baseline, or its
probabilities can be off, while the mean over all customers looks well. Both are tested here for
every segment of the test snapshot, with care for the number of segments looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from models.evaluation import (
    CONFIDENCE,
    ECE_BINS,
    area_under_curve,
    equal_mass,
    expected_calibration_error,
)
from models.features import ORDER_DAYS, BoolArray, FloatArray

# Chance of naming a segment that is none, over all segments of a card together.
FALSE_ALARM = 1 - CONFIDENCE
# Customers of either kind below which a segment's figures say nothing.
MIN_OF_EITHER = 30
# Levels of one division that are looked at, the largest first.
MAX_LEVELS = 8
DRAWS = 4_000
DECIMALS = 4

# Features by which people divide their customers, and how the card calls the division.
DIVISIONS: Mapping[str, str] = {
    "stage": "lifecycle stage",
    "region": "region",
    "segment": "product segment",
    "value_tier": "value tier",
}


@dataclass(frozen=True)
class SegmentFigures:
    """Out-of-time figures of the served predictor on the customers of one segment.

    Attributes:
        division, segment: `region` and `north`; `all` and `customers` for everybody.
        customers: in the test snapshot.
        churned: share of them that did (0-1).
        stated: mean of the probabilities (0-1).
        auc, log_loss: of the served predictor; NaN where undefined.
        ece: expected calibration error.
        ece_by_chance: what probabilities that are right stay below, but for one card in twenty.
        best_baseline: the baseline with the smallest log-loss here.
        gain: by how much the log-loss is smaller than with that baseline.
        gain_lower, gain_upper: of its interval, as wide as the number of segments asks for.
    """

    division: str
    segment: str
    customers: int
    churned: float
    stated: float
    auc: float
    log_loss: float
    ece: float
    ece_by_chance: float
    best_baseline: str
    gain: float
    gain_lower: float
    gain_upper: float

    def to_json(self) -> dict[str, Any]:
        """The row as a card holds it."""
        return {
            name: (None if np.isnan(value) else round(value, DECIMALS))
            if isinstance(value, float)
            else value
            for name, value in asdict(self).items()
        }

    def failures(self) -> list[str]:
        """What is wrong here beyond chance, in words."""
        who = "all customers" if self.division == "all" else f"{self.division} {self.segment}"
        found = []
        if self.gain_upper < 0:
            found.append(
                f"{who} ({self.customers:,}): {self.best_baseline} predicts them better, its "
                f"log-loss is smaller by {-self.gain:.4f} ({-self.gain_upper:.4f} at least)."
            )
        if self.ece > self.ece_by_chance:
            direction = "more" if self.churned > self.stated else "fewer"
            found.append(
                f"{who} ({self.customers:,}): the probabilities are off by {self.ece:.3f} on "
                f"average, chance explains {self.ece_by_chance:.3f}; {self.stated:.1%} were "
                f"stated to churn, {self.churned:.1%} did, {direction} than stated."
            )
        return found


def divide(frame: pd.DataFrame) -> dict[str, pd.Series[Any]]:
    """The segment of every row by division; a division that nothing is known of is left out.

    Args:
        frame: features of one snapshot, one row per customer.
    """
    divisions = {name: frame[column] for column, name in DIVISIONS.items() if column in frame}
    if ORDER_DAYS in frame:
        repeat = pd.to_numeric(frame[ORDER_DAYS]) > 1
        divisions["orders so far"] = repeat.map({True: "several", False: "one"})
    if "is_company" in frame:
        is_company = pd.to_numeric(frame["is_company"])
        divisions["kind"] = is_company.map({1: "business", 0: "private"})
    return {name: each for name, each in divisions.items() if each.nunique() > 1}


def by_segment(
    divisions: Mapping[str, pd.Series[Any]],
    churned: BoolArray,
    probabilities: Mapping[str, FloatArray],
    *,
    served: str,
    baselines: Sequence[str],
    seed: int,
) -> list[SegmentFigures]:
    """Figures of everybody and of every segment that is large enough.

    Args:
        divisions: of `divide`, rows as in `churned`.
        churned: what happened, one per row.
        probabilities: role to churn probability, one per row.
        served: the role that is looked at.
        baselines: the roles it is compared with.
        seed: of the draws that tell what chance does to the calibration error.
    """
    chosen: list[tuple[str, str, npt.NDArray[np.bool_]]] = [
        ("all", "customers", np.ones(len(churned), dtype=bool))
    ]
    for division, segments in divisions.items():
        levels = sorted(segments.value_counts().items(), key=lambda each: (-each[1], str(each[0])))
        chosen += [
            (division, str(level), (segments == level).fillna(False).to_numpy(dtype=bool))
            for level, _ in levels[:MAX_LEVELS]
        ]
    large = [
        (division, segment, rows)
        for division, segment, rows in chosen
        if min(churned[rows].sum(), (~churned[rows]).sum()) >= MIN_OF_EITHER
    ]
    alpha = FALSE_ALARM / max(len(large), 1)
    losses = {
        role: -np.where(churned, np.log(probabilities[role]), np.log1p(-probabilities[role]))
        for role in (served, *baselines)
    }
    noise = np.random.default_rng(seed).normal(size=(DRAWS, ECE_BINS))
    return [
        _figures(
            (division, segment),
            churned[rows],
            probabilities[served][rows],
            {role: loss[rows] for role, loss in losses.items()},
            served=served,
            alpha=alpha,
            noise=noise,
        )
        for division, segment, rows in large
    ]


def _figures(
    name: tuple[str, str],
    churned: BoolArray,
    probability: FloatArray,
    losses: Mapping[str, FloatArray],
    *,
    served: str,
    alpha: float,
    noise: FloatArray,
) -> SegmentFigures:
    means = {role: float(loss.mean()) for role, loss in losses.items()}
    best = min((role for role in means if role != served), key=means.__getitem__, default=served)
    gained = losses[best] - losses[served]
    # A test snapshot has one row per customer, so the mean's own error is that of the rows.
    width = stats.norm.ppf(1 - alpha / 2) * gained.std(ddof=1) / np.sqrt(len(gained))
    return SegmentFigures(
        *name,
        customers=len(churned),
        churned=float(churned.mean()),
        stated=float(probability.mean()),
        auc=area_under_curve(churned, probability),
        log_loss=means[served],
        ece=expected_calibration_error(churned, probability),
        ece_by_chance=ece_by_chance(probability, 1 - alpha, noise),
        best_baseline=best,
        gain=float(gained.mean()),
        gain_lower=float(gained.mean() - width),
        gain_upper=float(gained.mean() + width),
    )


def ece_by_chance(probability: FloatArray, quantile: float, noise: FloatArray) -> float:
    """The calibration error that probabilities stay below when each of them is right.

    Consistency resampling (Bröcker and Smith, 2007, "Increasing the Reliability of Reliability
    Diagrams"): the outcomes are drawn from the probabilities themselves. The churners of a bin
    are a sum of many, so they are drawn from a normal distribution.

    Args:
        probability: one per customer.
        quantile: of the errors that chance makes.
        noise: standard normal, a row per draw and a column per bin.
    """
    bins = equal_mass(probability, ECE_BINS)
    spread = np.sqrt(np.bincount(bins, probability * (1 - probability)))
    errors = np.abs(noise[:, : len(spread)]) @ spread / len(probability)
    return float(np.quantile(errors, quantile))
